-- What the tests behind this one share: collections, short names for ids, and waiting without sleeping for a
-- guessed time. Ids in the tests are small numbers dressed as UUIDs, so that they can be shown.
CREATE SCHEMA t;

CREATE FUNCTION t.id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;

CREATE FUNCTION t.no(id uuid) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT right(id::text, 12)::integer $$;

CREATE FUNCTION t.text(payload bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT convert_from(payload, 'UTF8') $$;

-- one operation, for push; no payload: a deletion
CREATE FUNCTION t.op(op integer, collection text, doc integer, base bigint, payload text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS
$$
	SELECT jsonb_strip_nulls(jsonb_build_object('op_id', t.id(op), 'collection', collection, 'doc_id', t.id(doc),
		'base_revision', base, 'payload', translate(encode(convert_to(payload, 'UTF8'), 'base64'), E'\n', ''),
		'deleted', CASE WHEN payload IS NULL THEN true END))
$$;

CREATE FUNCTION t.ops(VARIADIC ops jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$ SELECT to_jsonb(ops) $$;

-- waits until a condition holds; fails after two minutes, which nothing here should ever need
CREATE PROCEDURE t.wait(condition text) LANGUAGE plpgsql AS
$$
DECLARE
	holds boolean;
	give_up timestamptz := clock_timestamp() + '2 minutes';
BEGIN
	LOOP
		EXECUTE 'SELECT ' || condition INTO holds;
		COMMIT;
		EXIT WHEN holds;
		IF clock_timestamp() > give_up THEN
			RAISE EXCEPTION 'waited in vain';
		END IF;
		PERFORM pg_sleep(0.005);
	END LOOP;
END
$$;

-- waits until every operation that was pushed is applied
CREATE PROCEDURE t.wait_applied() LANGUAGE plpgsql AS
$$ BEGIN CALL t.wait('NOT EXISTS (SELECT FROM paws_queue.operation)'); END $$;

SELECT name, paws_sync.define_collection(name, class::paws_sync.class, on_conflict)
FROM (VALUES ('mood', 'interactive', 'server_order'), ('plan', 'standard', 'branch'), ('journal', 'standard', 'append'),
	('upload', 'bulk', 'server_order'), ('trace', 'background', 'server_order'),
	('safety_plan', 'safety', 'server_order'), ('signal', 'emergency', 'append')) AS v (name, class, on_conflict);

CALL t.wait($$ 'ready' = ALL (SELECT state FROM paws_sync.status() WHERE component IN ('workers', 'queue')) $$);
SELECT component, state, CASE WHEN component = 'queue' THEN detail END AS detail FROM paws_sync.status() WHERE component <> 'crisis lane';
