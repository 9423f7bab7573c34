-- guard: token types, level, and the enums of closed vocabularies.
--
-- The three token types are one C type under three names. There is no cast between them, so that a subject
-- and a subscription context cannot be mixed even by mistake. Functions behind a type keep EXECUTE for PUBLIC.

-- subject
CREATE TYPE paws_sync.subject;
CREATE FUNCTION paws_sync.subject_in(cstring) RETURNS paws_sync.subject
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_subject_in';
COMMENT ON FUNCTION paws_sync.subject_in(cstring) IS 'reads a subject';
CREATE FUNCTION paws_sync.subject_out(paws_sync.subject) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_subject_out';
COMMENT ON FUNCTION paws_sync.subject_out(paws_sync.subject) IS 'prints a subject';
CREATE FUNCTION paws_sync.subject_recv(internal) RETURNS paws_sync.subject
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_subject_recv';
COMMENT ON FUNCTION paws_sync.subject_recv(internal) IS 'reads a subject in binary form';
CREATE FUNCTION paws_sync.subject_send(paws_sync.subject) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_subject_send';
COMMENT ON FUNCTION paws_sync.subject_send(paws_sync.subject) IS 'prints a subject in binary form';
CREATE TYPE paws_sync.subject (
	INPUT = paws_sync.subject_in, OUTPUT = paws_sync.subject_out,
	RECEIVE = paws_sync.subject_recv, SEND = paws_sync.subject_send,
	INTERNALLENGTH = 25, ALIGNMENT = char, STORAGE = plain);
COMMENT ON TYPE paws_sync.subject IS 'a person on the care side: a minted pseudonym that begins with sub_';

CREATE FUNCTION paws_sync.subject_eq(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_eq';
COMMENT ON FUNCTION paws_sync.subject_eq(paws_sync.subject, paws_sync.subject) IS 'the = operator';
CREATE FUNCTION paws_sync.subject_ne(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ne';
COMMENT ON FUNCTION paws_sync.subject_ne(paws_sync.subject, paws_sync.subject) IS 'the <> operator';
CREATE FUNCTION paws_sync.subject_lt(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_lt';
COMMENT ON FUNCTION paws_sync.subject_lt(paws_sync.subject, paws_sync.subject) IS 'the < operator';
CREATE FUNCTION paws_sync.subject_le(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_le';
COMMENT ON FUNCTION paws_sync.subject_le(paws_sync.subject, paws_sync.subject) IS 'the <= operator';
CREATE FUNCTION paws_sync.subject_gt(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_gt';
COMMENT ON FUNCTION paws_sync.subject_gt(paws_sync.subject, paws_sync.subject) IS 'the > operator';
CREATE FUNCTION paws_sync.subject_ge(paws_sync.subject, paws_sync.subject) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ge';
COMMENT ON FUNCTION paws_sync.subject_ge(paws_sync.subject, paws_sync.subject) IS 'the >= operator';
CREATE FUNCTION paws_sync.subject_cmp(paws_sync.subject, paws_sync.subject) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_cmp';
COMMENT ON FUNCTION paws_sync.subject_cmp(paws_sync.subject, paws_sync.subject) IS 'order, for btree';
CREATE FUNCTION paws_sync.subject_hash(paws_sync.subject) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash';
COMMENT ON FUNCTION paws_sync.subject_hash(paws_sync.subject) IS 'hash';
CREATE FUNCTION paws_sync.subject_hash_extended(paws_sync.subject, bigint) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash_extended';
COMMENT ON FUNCTION paws_sync.subject_hash_extended(paws_sync.subject, bigint) IS 'hash with a seed';

CREATE OPERATOR paws_sync.= (
	FUNCTION = paws_sync.subject_eq, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.=), NEGATOR = OPERATOR(paws_sync.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR paws_sync.= (paws_sync.subject, paws_sync.subject) IS 'equal';
CREATE OPERATOR paws_sync.<> (
	FUNCTION = paws_sync.subject_ne, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.<>), NEGATOR = OPERATOR(paws_sync.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR paws_sync.<> (paws_sync.subject, paws_sync.subject) IS 'not equal';
CREATE OPERATOR paws_sync.< (
	FUNCTION = paws_sync.subject_lt, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.>), NEGATOR = OPERATOR(paws_sync.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR paws_sync.< (paws_sync.subject, paws_sync.subject) IS 'less than';
CREATE OPERATOR paws_sync.<= (
	FUNCTION = paws_sync.subject_le, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.>=), NEGATOR = OPERATOR(paws_sync.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR paws_sync.<= (paws_sync.subject, paws_sync.subject) IS 'less than or equal';
CREATE OPERATOR paws_sync.> (
	FUNCTION = paws_sync.subject_gt, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.<), NEGATOR = OPERATOR(paws_sync.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR paws_sync.> (paws_sync.subject, paws_sync.subject) IS 'greater than';
CREATE OPERATOR paws_sync.>= (
	FUNCTION = paws_sync.subject_ge, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject,
	COMMUTATOR = OPERATOR(paws_sync.<=), NEGATOR = OPERATOR(paws_sync.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR paws_sync.>= (paws_sync.subject, paws_sync.subject) IS 'greater than or equal';

CREATE OPERATOR CLASS paws_sync.subject_ops DEFAULT FOR TYPE paws_sync.subject USING btree AS
	OPERATOR 1 paws_sync.<, OPERATOR 2 paws_sync.<=, OPERATOR 3 paws_sync.=,
	OPERATOR 4 paws_sync.>=, OPERATOR 5 paws_sync.>,
	FUNCTION 1 paws_sync.subject_cmp(paws_sync.subject, paws_sync.subject),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS paws_sync.subject_ops USING btree IS 'order of subject values';
COMMENT ON OPERATOR FAMILY paws_sync.subject_ops USING btree IS 'order of subject values';
CREATE OPERATOR CLASS paws_sync.subject_ops DEFAULT FOR TYPE paws_sync.subject USING hash AS
	OPERATOR 1 paws_sync.=, FUNCTION 1 paws_sync.subject_hash(paws_sync.subject),
	FUNCTION 2 paws_sync.subject_hash_extended(paws_sync.subject, bigint);
COMMENT ON OPERATOR CLASS paws_sync.subject_ops USING hash IS 'hash of subject values';
COMMENT ON OPERATOR FAMILY paws_sync.subject_ops USING hash IS 'hash of subject values';

-- device
CREATE TYPE paws_sync.device;
CREATE FUNCTION paws_sync.device_in(cstring) RETURNS paws_sync.device
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_device_in';
COMMENT ON FUNCTION paws_sync.device_in(cstring) IS 'reads a device';
CREATE FUNCTION paws_sync.device_out(paws_sync.device) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_device_out';
COMMENT ON FUNCTION paws_sync.device_out(paws_sync.device) IS 'prints a device';
CREATE FUNCTION paws_sync.device_recv(internal) RETURNS paws_sync.device
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_device_recv';
COMMENT ON FUNCTION paws_sync.device_recv(internal) IS 'reads a device in binary form';
CREATE FUNCTION paws_sync.device_send(paws_sync.device) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_device_send';
COMMENT ON FUNCTION paws_sync.device_send(paws_sync.device) IS 'prints a device in binary form';
CREATE TYPE paws_sync.device (
	INPUT = paws_sync.device_in, OUTPUT = paws_sync.device_out,
	RECEIVE = paws_sync.device_recv, SEND = paws_sync.device_send,
	INTERNALLENGTH = 25, ALIGNMENT = char, STORAGE = plain);
COMMENT ON TYPE paws_sync.device IS 'one installation of a subject: a minted token that begins with dev_';

CREATE FUNCTION paws_sync.device_eq(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_eq';
COMMENT ON FUNCTION paws_sync.device_eq(paws_sync.device, paws_sync.device) IS 'the = operator';
CREATE FUNCTION paws_sync.device_ne(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ne';
COMMENT ON FUNCTION paws_sync.device_ne(paws_sync.device, paws_sync.device) IS 'the <> operator';
CREATE FUNCTION paws_sync.device_lt(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_lt';
COMMENT ON FUNCTION paws_sync.device_lt(paws_sync.device, paws_sync.device) IS 'the < operator';
CREATE FUNCTION paws_sync.device_le(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_le';
COMMENT ON FUNCTION paws_sync.device_le(paws_sync.device, paws_sync.device) IS 'the <= operator';
CREATE FUNCTION paws_sync.device_gt(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_gt';
COMMENT ON FUNCTION paws_sync.device_gt(paws_sync.device, paws_sync.device) IS 'the > operator';
CREATE FUNCTION paws_sync.device_ge(paws_sync.device, paws_sync.device) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ge';
COMMENT ON FUNCTION paws_sync.device_ge(paws_sync.device, paws_sync.device) IS 'the >= operator';
CREATE FUNCTION paws_sync.device_cmp(paws_sync.device, paws_sync.device) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_cmp';
COMMENT ON FUNCTION paws_sync.device_cmp(paws_sync.device, paws_sync.device) IS 'order, for btree';
CREATE FUNCTION paws_sync.device_hash(paws_sync.device) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash';
COMMENT ON FUNCTION paws_sync.device_hash(paws_sync.device) IS 'hash';
CREATE FUNCTION paws_sync.device_hash_extended(paws_sync.device, bigint) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash_extended';
COMMENT ON FUNCTION paws_sync.device_hash_extended(paws_sync.device, bigint) IS 'hash with a seed';

CREATE OPERATOR paws_sync.= (
	FUNCTION = paws_sync.device_eq, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.=), NEGATOR = OPERATOR(paws_sync.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR paws_sync.= (paws_sync.device, paws_sync.device) IS 'equal';
CREATE OPERATOR paws_sync.<> (
	FUNCTION = paws_sync.device_ne, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.<>), NEGATOR = OPERATOR(paws_sync.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR paws_sync.<> (paws_sync.device, paws_sync.device) IS 'not equal';
CREATE OPERATOR paws_sync.< (
	FUNCTION = paws_sync.device_lt, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.>), NEGATOR = OPERATOR(paws_sync.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR paws_sync.< (paws_sync.device, paws_sync.device) IS 'less than';
CREATE OPERATOR paws_sync.<= (
	FUNCTION = paws_sync.device_le, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.>=), NEGATOR = OPERATOR(paws_sync.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR paws_sync.<= (paws_sync.device, paws_sync.device) IS 'less than or equal';
CREATE OPERATOR paws_sync.> (
	FUNCTION = paws_sync.device_gt, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.<), NEGATOR = OPERATOR(paws_sync.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR paws_sync.> (paws_sync.device, paws_sync.device) IS 'greater than';
CREATE OPERATOR paws_sync.>= (
	FUNCTION = paws_sync.device_ge, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device,
	COMMUTATOR = OPERATOR(paws_sync.<=), NEGATOR = OPERATOR(paws_sync.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR paws_sync.>= (paws_sync.device, paws_sync.device) IS 'greater than or equal';

CREATE OPERATOR CLASS paws_sync.device_ops DEFAULT FOR TYPE paws_sync.device USING btree AS
	OPERATOR 1 paws_sync.<, OPERATOR 2 paws_sync.<=, OPERATOR 3 paws_sync.=,
	OPERATOR 4 paws_sync.>=, OPERATOR 5 paws_sync.>,
	FUNCTION 1 paws_sync.device_cmp(paws_sync.device, paws_sync.device),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS paws_sync.device_ops USING btree IS 'order of device values';
COMMENT ON OPERATOR FAMILY paws_sync.device_ops USING btree IS 'order of device values';
CREATE OPERATOR CLASS paws_sync.device_ops DEFAULT FOR TYPE paws_sync.device USING hash AS
	OPERATOR 1 paws_sync.=, FUNCTION 1 paws_sync.device_hash(paws_sync.device),
	FUNCTION 2 paws_sync.device_hash_extended(paws_sync.device, bigint);
COMMENT ON OPERATOR CLASS paws_sync.device_ops USING hash IS 'hash of device values';
COMMENT ON OPERATOR FAMILY paws_sync.device_ops USING hash IS 'hash of device values';

-- context
CREATE TYPE paws_sync.context;
CREATE FUNCTION paws_sync.context_in(cstring) RETURNS paws_sync.context
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_context_in';
COMMENT ON FUNCTION paws_sync.context_in(cstring) IS 'reads a context';
CREATE FUNCTION paws_sync.context_out(paws_sync.context) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_context_out';
COMMENT ON FUNCTION paws_sync.context_out(paws_sync.context) IS 'prints a context';
CREATE FUNCTION paws_sync.context_recv(internal) RETURNS paws_sync.context
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_context_recv';
COMMENT ON FUNCTION paws_sync.context_recv(internal) IS 'reads a context in binary form';
CREATE FUNCTION paws_sync.context_send(paws_sync.context) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_context_send';
COMMENT ON FUNCTION paws_sync.context_send(paws_sync.context) IS 'prints a context in binary form';
CREATE TYPE paws_sync.context (
	INPUT = paws_sync.context_in, OUTPUT = paws_sync.context_out,
	RECEIVE = paws_sync.context_recv, SEND = paws_sync.context_send,
	INTERNALLENGTH = 25, ALIGNMENT = char, STORAGE = plain);
COMMENT ON TYPE paws_sync.context IS 'a subscription on the billing side: a token that begins with ctx_';

CREATE FUNCTION paws_sync.context_eq(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_eq';
COMMENT ON FUNCTION paws_sync.context_eq(paws_sync.context, paws_sync.context) IS 'the = operator';
CREATE FUNCTION paws_sync.context_ne(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ne';
COMMENT ON FUNCTION paws_sync.context_ne(paws_sync.context, paws_sync.context) IS 'the <> operator';
CREATE FUNCTION paws_sync.context_lt(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_lt';
COMMENT ON FUNCTION paws_sync.context_lt(paws_sync.context, paws_sync.context) IS 'the < operator';
CREATE FUNCTION paws_sync.context_le(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_le';
COMMENT ON FUNCTION paws_sync.context_le(paws_sync.context, paws_sync.context) IS 'the <= operator';
CREATE FUNCTION paws_sync.context_gt(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_gt';
COMMENT ON FUNCTION paws_sync.context_gt(paws_sync.context, paws_sync.context) IS 'the > operator';
CREATE FUNCTION paws_sync.context_ge(paws_sync.context, paws_sync.context) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_ge';
COMMENT ON FUNCTION paws_sync.context_ge(paws_sync.context, paws_sync.context) IS 'the >= operator';
CREATE FUNCTION paws_sync.context_cmp(paws_sync.context, paws_sync.context) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_cmp';
COMMENT ON FUNCTION paws_sync.context_cmp(paws_sync.context, paws_sync.context) IS 'order, for btree';
CREATE FUNCTION paws_sync.context_hash(paws_sync.context) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash';
COMMENT ON FUNCTION paws_sync.context_hash(paws_sync.context) IS 'hash';
CREATE FUNCTION paws_sync.context_hash_extended(paws_sync.context, bigint) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_token_hash_extended';
COMMENT ON FUNCTION paws_sync.context_hash_extended(paws_sync.context, bigint) IS 'hash with a seed';

CREATE OPERATOR paws_sync.= (
	FUNCTION = paws_sync.context_eq, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.=), NEGATOR = OPERATOR(paws_sync.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR paws_sync.= (paws_sync.context, paws_sync.context) IS 'equal';
CREATE OPERATOR paws_sync.<> (
	FUNCTION = paws_sync.context_ne, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.<>), NEGATOR = OPERATOR(paws_sync.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR paws_sync.<> (paws_sync.context, paws_sync.context) IS 'not equal';
CREATE OPERATOR paws_sync.< (
	FUNCTION = paws_sync.context_lt, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.>), NEGATOR = OPERATOR(paws_sync.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR paws_sync.< (paws_sync.context, paws_sync.context) IS 'less than';
CREATE OPERATOR paws_sync.<= (
	FUNCTION = paws_sync.context_le, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.>=), NEGATOR = OPERATOR(paws_sync.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR paws_sync.<= (paws_sync.context, paws_sync.context) IS 'less than or equal';
CREATE OPERATOR paws_sync.> (
	FUNCTION = paws_sync.context_gt, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.<), NEGATOR = OPERATOR(paws_sync.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR paws_sync.> (paws_sync.context, paws_sync.context) IS 'greater than';
CREATE OPERATOR paws_sync.>= (
	FUNCTION = paws_sync.context_ge, LEFTARG = paws_sync.context, RIGHTARG = paws_sync.context,
	COMMUTATOR = OPERATOR(paws_sync.<=), NEGATOR = OPERATOR(paws_sync.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR paws_sync.>= (paws_sync.context, paws_sync.context) IS 'greater than or equal';

CREATE OPERATOR CLASS paws_sync.context_ops DEFAULT FOR TYPE paws_sync.context USING btree AS
	OPERATOR 1 paws_sync.<, OPERATOR 2 paws_sync.<=, OPERATOR 3 paws_sync.=,
	OPERATOR 4 paws_sync.>=, OPERATOR 5 paws_sync.>,
	FUNCTION 1 paws_sync.context_cmp(paws_sync.context, paws_sync.context),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS paws_sync.context_ops USING btree IS 'order of context values';
COMMENT ON OPERATOR FAMILY paws_sync.context_ops USING btree IS 'order of context values';
CREATE OPERATOR CLASS paws_sync.context_ops DEFAULT FOR TYPE paws_sync.context USING hash AS
	OPERATOR 1 paws_sync.=, FUNCTION 1 paws_sync.context_hash(paws_sync.context),
	FUNCTION 2 paws_sync.context_hash_extended(paws_sync.context, bigint);
COMMENT ON OPERATOR CLASS paws_sync.context_ops USING hash IS 'hash of context values';
COMMENT ON OPERATOR FAMILY paws_sync.context_ops USING hash IS 'hash of context values';

-- level
CREATE TYPE paws_sync.level;
CREATE FUNCTION paws_sync.level_in(cstring) RETURNS paws_sync.level
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_level_in';
COMMENT ON FUNCTION paws_sync.level_in(cstring) IS 'reads a level';
CREATE FUNCTION paws_sync.level_out(paws_sync.level) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_level_out';
COMMENT ON FUNCTION paws_sync.level_out(paws_sync.level) IS 'prints a level';
CREATE FUNCTION paws_sync.level_recv(internal) RETURNS paws_sync.level
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_level_recv';
COMMENT ON FUNCTION paws_sync.level_recv(internal) IS 'reads a level in binary form';
CREATE FUNCTION paws_sync.level_send(paws_sync.level) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_level_send';
COMMENT ON FUNCTION paws_sync.level_send(paws_sync.level) IS 'prints a level in binary form';
CREATE TYPE paws_sync.level (
	INPUT = paws_sync.level_in, OUTPUT = paws_sync.level_out,
	RECEIVE = paws_sync.level_recv, SEND = paws_sync.level_send,
	INTERNALLENGTH = 2, PASSEDBYVALUE, ALIGNMENT = int2, STORAGE = plain);
COMMENT ON TYPE paws_sync.level IS 'urgency from 1 (background) to 10 (crisis_emergency), shown by name';

CREATE FUNCTION paws_sync.level_eq(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2eq';
COMMENT ON FUNCTION paws_sync.level_eq(paws_sync.level, paws_sync.level) IS 'the = operator';
CREATE FUNCTION paws_sync.level_ne(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2ne';
COMMENT ON FUNCTION paws_sync.level_ne(paws_sync.level, paws_sync.level) IS 'the <> operator';
CREATE FUNCTION paws_sync.level_lt(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2lt';
COMMENT ON FUNCTION paws_sync.level_lt(paws_sync.level, paws_sync.level) IS 'the < operator';
CREATE FUNCTION paws_sync.level_le(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2le';
COMMENT ON FUNCTION paws_sync.level_le(paws_sync.level, paws_sync.level) IS 'the <= operator';
CREATE FUNCTION paws_sync.level_gt(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2gt';
COMMENT ON FUNCTION paws_sync.level_gt(paws_sync.level, paws_sync.level) IS 'the > operator';
CREATE FUNCTION paws_sync.level_ge(paws_sync.level, paws_sync.level) RETURNS boolean
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int2ge';
COMMENT ON FUNCTION paws_sync.level_ge(paws_sync.level, paws_sync.level) IS 'the >= operator';
CREATE FUNCTION paws_sync.level_cmp(paws_sync.level, paws_sync.level) RETURNS integer
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'btint2cmp';
COMMENT ON FUNCTION paws_sync.level_cmp(paws_sync.level, paws_sync.level) IS 'order, for btree';
CREATE FUNCTION paws_sync.level_hash(paws_sync.level) RETURNS integer
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashint2';
COMMENT ON FUNCTION paws_sync.level_hash(paws_sync.level) IS 'hash';
CREATE FUNCTION paws_sync.level_hash_extended(paws_sync.level, bigint) RETURNS bigint
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashint2extended';
COMMENT ON FUNCTION paws_sync.level_hash_extended(paws_sync.level, bigint) IS 'hash with a seed';

CREATE OPERATOR paws_sync.= (
	FUNCTION = paws_sync.level_eq, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.=), NEGATOR = OPERATOR(paws_sync.<>),
	RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
COMMENT ON OPERATOR paws_sync.= (paws_sync.level, paws_sync.level) IS 'equal';
CREATE OPERATOR paws_sync.<> (
	FUNCTION = paws_sync.level_ne, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.<>), NEGATOR = OPERATOR(paws_sync.=),
	RESTRICT = neqsel, JOIN = neqjoinsel);
COMMENT ON OPERATOR paws_sync.<> (paws_sync.level, paws_sync.level) IS 'not equal';
CREATE OPERATOR paws_sync.< (
	FUNCTION = paws_sync.level_lt, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.>), NEGATOR = OPERATOR(paws_sync.>=),
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
COMMENT ON OPERATOR paws_sync.< (paws_sync.level, paws_sync.level) IS 'less than';
CREATE OPERATOR paws_sync.<= (
	FUNCTION = paws_sync.level_le, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.>=), NEGATOR = OPERATOR(paws_sync.>),
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
COMMENT ON OPERATOR paws_sync.<= (paws_sync.level, paws_sync.level) IS 'less than or equal';
CREATE OPERATOR paws_sync.> (
	FUNCTION = paws_sync.level_gt, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.<), NEGATOR = OPERATOR(paws_sync.<=),
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
COMMENT ON OPERATOR paws_sync.> (paws_sync.level, paws_sync.level) IS 'greater than';
CREATE OPERATOR paws_sync.>= (
	FUNCTION = paws_sync.level_ge, LEFTARG = paws_sync.level, RIGHTARG = paws_sync.level,
	COMMUTATOR = OPERATOR(paws_sync.<=), NEGATOR = OPERATOR(paws_sync.<),
	RESTRICT = scalargesel, JOIN = scalargejoinsel);
COMMENT ON OPERATOR paws_sync.>= (paws_sync.level, paws_sync.level) IS 'greater than or equal';

CREATE OPERATOR CLASS paws_sync.level_ops DEFAULT FOR TYPE paws_sync.level USING btree AS
	OPERATOR 1 paws_sync.<, OPERATOR 2 paws_sync.<=, OPERATOR 3 paws_sync.=,
	OPERATOR 4 paws_sync.>=, OPERATOR 5 paws_sync.>,
	FUNCTION 1 paws_sync.level_cmp(paws_sync.level, paws_sync.level),
	FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS paws_sync.level_ops USING btree IS 'order of level values';
COMMENT ON OPERATOR FAMILY paws_sync.level_ops USING btree IS 'order of level values';
CREATE OPERATOR CLASS paws_sync.level_ops DEFAULT FOR TYPE paws_sync.level USING hash AS
	OPERATOR 1 paws_sync.=, FUNCTION 1 paws_sync.level_hash(paws_sync.level),
	FUNCTION 2 paws_sync.level_hash_extended(paws_sync.level, bigint);
COMMENT ON OPERATOR CLASS paws_sync.level_ops USING hash IS 'hash of level values';
COMMENT ON OPERATOR FAMILY paws_sync.level_ops USING hash IS 'hash of level values';

CREATE FUNCTION paws_sync.level_from_integer(integer) RETURNS paws_sync.level
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'paws_level_from_integer';
COMMENT ON FUNCTION paws_sync.level_from_integer(integer) IS 'the level of this number; 1 to 10';
CREATE FUNCTION paws_sync.level_to_integer(paws_sync.level) RETURNS integer
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'i2toi4';
COMMENT ON FUNCTION paws_sync.level_to_integer(paws_sync.level) IS 'the number of a level';
CREATE CAST (integer AS paws_sync.level) WITH FUNCTION paws_sync.level_from_integer(integer);
COMMENT ON CAST (integer AS paws_sync.level) IS 'the level of this number; 1 to 10';
CREATE CAST (paws_sync.level AS integer) WITH FUNCTION paws_sync.level_to_integer(paws_sync.level);
COMMENT ON CAST (paws_sync.level AS integer) IS 'the number of a level';

-- Enums: labels stand in the order of their codes, and are frozen within a version.
CREATE TYPE paws_sync.tier AS ENUM ('trial', 'basic', 'premium', 'grace_period');
COMMENT ON TYPE paws_sync.tier IS
	'what a subscription gives; grace_period is after a failed payment, and never below premium';
CREATE TYPE paws_sync.class AS ENUM
	('emergency', 'safety', 'control', 'session', 'interactive', 'standard', 'bulk', 'background');
COMMENT ON TYPE paws_sync.class IS 'what an operation is for; emergency and safety belong to the crisis lane';
CREATE TYPE paws_sync.outcome AS ENUM
	('accepted', 'duplicate', 'limited', 'rejected', 'applied', 'conflict', 'superseded');
COMMENT ON TYPE paws_sync.outcome IS 'the answer to a pushed operation, and the final outcome in its receipt';
CREATE TYPE paws_sync.feature AS ENUM ('attachments', 'history_export', 'insights', 'sharing', 'priority_support');
COMMENT ON TYPE paws_sync.feature IS 'what an app offers in a tier beside sync; the engine keeps the list and asks it for nothing';
CREATE TYPE paws_sync.job_state AS ENUM
	('scheduled', 'available', 'running', 'completed', 'cancelled', 'expired', 'dead');
COMMENT ON TYPE paws_sync.job_state IS 'where a job stands; the last four are final but for redrive, which takes it from dead to available';
CREATE TYPE paws_sync.job_outcome AS ENUM
	('submitted', 'duplicate', 'limited', 'rejected', 'completed', 'retried', 'dead', 'released', 'snoozed', 'cancelled',
	'extended', 'lost', 'not_found');
COMMENT ON TYPE paws_sync.job_outcome IS 'the answer to a call about a job';
CREATE TYPE paws_sync.job_reason AS ENUM
	('failed', 'invalid', 'dependency', 'timed_out', 'refused', 'lease_expired', 'unreadable');
COMMENT ON TYPE paws_sync.job_reason IS 'why an attempt at a job failed; lease_expired and unreadable are the engine''s own';

CREATE TYPE paws_sync.source AS ENUM
	('phq9_item9', 'self_report', 'clinician', 'hotline_contact', 'screening', 'trusted_contact', 'app_detection');
COMMENT ON TYPE paws_sync.source IS 'what raised a crisis signal';
CREATE TYPE paws_sync.severity AS ENUM ('low', 'moderate', 'high', 'imminent');
COMMENT ON TYPE paws_sync.severity IS 'how urgent a crisis signal is, the last one most';

CREATE FUNCTION paws_sync.vocabulary(OUT kind text, OUT code integer, OUT name text) RETURNS SETOF record
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 100 AS 'MODULE_PATHNAME', 'paws_vocabulary';
REVOKE ALL ON FUNCTION paws_sync.vocabulary() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.vocabulary() IS
	'every closed vocabulary: its kind, the code that tables hold, and the name that SQL shows';
