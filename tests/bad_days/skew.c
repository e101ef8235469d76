/* Sets the clock of the processes that load it, and sets it anew at a chosen reading.

Preloaded with LD_PRELOAD. SKEW_FILE names a file of four 64-bit numbers that all of them share: seconds to add to the
time, the reading of the clock from which on other seconds are added (0: never), those seconds, and how often the clock
was read. The clock that measures spans (CLOCK_MONOTONIC) is left alone. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shared;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SKEW_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    void *found = fd < 0 ? MAP_FAILED : mmap(NULL, 4 * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (found != MAP_FAILED) shared = found;
}

int clock_gettime(clockid_t which, struct timespec *out) {
    int done = (int)syscall(SYS_clock_gettime, which, out);
    if (done == 0 && shared != NULL && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t number = __sync_add_and_fetch(&shared[3], 1);
        out->tv_sec += shared[1] != 0 && number >= shared[1] ? shared[2] : shared[0];
    }
    return done;
}

int gettimeofday(struct timeval *out, void *zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) *out = now.tv_sec;
    return now.tv_sec;
}
