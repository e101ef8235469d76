"""The words every other floor speaks: errors, names, schemas, time, retries. Imports nothing of Millpond's."""
