BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE commit_tables (
	environment VARCHAR NOT NULL, 
	layer VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	"commit" INTEGER NOT NULL, 
	uuid VARCHAR NOT NULL, 
	location VARCHAR NOT NULL, 
	metadata_location VARCHAR NOT NULL, 
	previous VARCHAR, 
	created INTEGER NOT NULL, 
	dropped BOOLEAN NOT NULL, 
	CONSTRAINT commit_tables_key PRIMARY KEY (environment, layer, name, "commit"), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
INSERT INTO "commit_tables" VALUES('prod','silver','positions',1,'u-1','/lake/silver/positions-1','/lake/silver/positions-1/metadata/0',NULL,1,0);
CREATE TABLE commits (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	environment VARCHAR NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR NOT NULL, 
	principal VARCHAR NOT NULL, 
	client VARCHAR NOT NULL, 
	step_key VARCHAR, 
	run VARCHAR, 
	table_layer VARCHAR, 
	table_name VARCHAR, 
	blind BOOLEAN NOT NULL, 
	ledger TEXT, 
	CONSTRAINT commits_step_key UNIQUE (step_key)
);
INSERT INTO "commits" VALUES(1,'prod',1795000000000000,'step','owner','millpond','run1/silver.positions',NULL,'silver','positions',0,NULL);
CREATE TABLE cursors (
	environment VARCHAR NOT NULL, 
	consumer_layer VARCHAR NOT NULL, 
	consumer_name VARCHAR NOT NULL, 
	input_layer VARCHAR NOT NULL, 
	input_name VARCHAR NOT NULL, 
	"commit" INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	CONSTRAINT cursors_key PRIMARY KEY (environment, consumer_layer, consumer_name, input_layer, input_name, "commit"), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
CREATE TABLE lineage (
	"commit" INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	environment VARCHAR NOT NULL, 
	output_layer VARCHAR NOT NULL, 
	output_name VARCHAR NOT NULL, 
	output_column VARCHAR NOT NULL, 
	input_layer VARCHAR NOT NULL, 
	input_name VARCHAR NOT NULL, 
	input_column VARCHAR NOT NULL, 
	CONSTRAINT lineage_key PRIMARY KEY ("commit", ordinal), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
CREATE TABLE model_states (
	environment VARCHAR NOT NULL, 
	layer VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	"commit" INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	definition TEXT NOT NULL, 
	CONSTRAINT model_states_key PRIMARY KEY (environment, layer, name, "commit"), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
CREATE TABLE namespaces (
	environment VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	properties TEXT NOT NULL, 
	CONSTRAINT namespaces_key PRIMARY KEY (environment, name)
);
INSERT INTO "namespaces" VALUES('prod','silver','{}');
CREATE TABLE pointers (
	environment VARCHAR NOT NULL, 
	layer VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	uuid VARCHAR NOT NULL, 
	location VARCHAR NOT NULL, 
	metadata_location VARCHAR NOT NULL, 
	"commit" INTEGER NOT NULL, 
	created INTEGER NOT NULL, 
	CONSTRAINT pointers_key PRIMARY KEY (environment, layer, name), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
INSERT INTO "pointers" VALUES('prod','silver','positions','u-1','/lake/silver/positions-1','/lake/silver/positions-1/metadata/0',1,1);
CREATE TABLE source_files (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	environment VARCHAR NOT NULL, 
	"commit" INTEGER NOT NULL, 
	source VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	modified_ns BIGINT NOT NULL, 
	content VARCHAR NOT NULL, 
	parser VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	records BIGINT NOT NULL, 
	quarantined BIGINT NOT NULL, 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
CREATE TABLE verdicts (
	"commit" INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	layer VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	rule VARCHAR NOT NULL, 
	outcome VARCHAR NOT NULL, 
	failed BIGINT NOT NULL, 
	judged BIGINT NOT NULL, 
	CONSTRAINT verdicts_key PRIMARY KEY ("commit", ordinal), 
	FOREIGN KEY("commit") REFERENCES commits (number)
);
CREATE INDEX commits_at ON commits (at);
CREATE INDEX commit_tables_commit ON commit_tables ("commit");
CREATE INDEX lineage_output ON lineage (environment, output_layer, output_name, "commit");
CREATE INDEX source_files_content ON source_files (environment, source, content, id);
CREATE INDEX source_files_path ON source_files (environment, source, path, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('commits',1);
COMMIT;
