/*
 * vault/data_key.h - the data keys of subjects: found, opened, made. Inside the vault only.
 *
 * All functions need SPI connected. A key is copied to the caller, who wipes it.
 */
#ifndef PAWS_VAULT_DATA_KEY_H
#define PAWS_VAULT_DATA_KEY_H

#include "vault/vault.h"

/*
 * The key to seal with: the subject's newest one. Of a crisis key without the crisis root it is the public
 * half alone. A subject of the crisis lane whose key is gone or broken gets a new one if the root is there.
 * Errors PW003 if there is none, or it does not open.
 */
extern void paws_data_key_to_seal(PawsKeyHome home, int64 subject_no, PawsDataKey *key);

/*
 * The key of this id, to open with; false if there is none. One that is there and does not open errors PW003;
 * in the crisis lane it is as if there were none, since what is under the subject's other keys is to be read.
 */
extern bool paws_data_key_to_open(PawsKeyHome home, int64 subject_no,
								  const uint8_t id[PAWS_DATA_KEY_ID_BYTES], PawsDataKey *key);

/*
 * Stores a new key of this version under the newest epoch, unless another transaction stored that version:
 * then it waits for it. Errors 55000 without the root.
 */
extern void paws_data_key_make(PawsKeyHome home, int64 subject_no, uint32 version);

#endif
