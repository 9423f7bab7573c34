/*
 * base/errors.h - SQLSTATEs of the extension.
 *
 * Class PW is ours. Where the server has a fitting code we use that one: 22004 null value, 22023 invalid
 * parameter value, 22P02 invalid text representation, 22P03 invalid binary representation, 25001 active SQL
 * transaction, 42704 undefined object, 53400 configuration limit exceeded, 54000 program limit exceeded,
 * 55000 not in prerequisite state, 0A000 feature not supported.
 */
#ifndef PAWS_BASE_ERRORS_H
#define PAWS_BASE_ERRORS_H

#include "postgres.h"
#include "utils/elog.h"

#define PAWS_ERRCODE_FOREIGN_TOKEN  MAKE_SQLSTATE('P', 'W', '0', '0', '1')
#define PAWS_ERRCODE_UNKNOWN_DEVICE MAKE_SQLSTATE('P', 'W', '0', '0', '2')
#define PAWS_ERRCODE_ENVELOPE       MAKE_SQLSTATE('P', 'W', '0', '0', '3')
#define PAWS_ERRCODE_DEVICE_REVOKED MAKE_SQLSTATE('P', 'W', '0', '0', '4')
#define PAWS_ERRCODE_IMMUTABLE      MAKE_SQLSTATE('P', 'W', '0', '0', '5')
#define PAWS_ERRCODE_UNKNOWN_TOPIC  MAKE_SQLSTATE('P', 'W', '0', '1', '0')
#define PAWS_ERRCODE_LEASE_LOST     MAKE_SQLSTATE('P', 'W', '0', '1', '1')
#define PAWS_ERRCODE_ALARM          MAKE_SQLSTATE('P', 'W', '0', '2', '0') /* of log lines alone */

#endif
