-- The cluster without our library: bare tables of the same row size, and PgQ. The peers of the npm registry install
-- their schemas by themselves.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE SCHEMA bench;
CREATE TABLE bench.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT NULL);
CREATE TABLE bench.prio (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, prio smallint NOT NULL, payload bytea NOT NULL);
CREATE INDEX ON bench.prio (prio, id);

CREATE EXTENSION pgq;
SELECT pgq.create_queue('bench');
SELECT pgq.register_consumer('bench', 'bench');
