/*
 * no_aes.c - preloaded into a server (LD_PRELOAD), it makes libsodium see a processor without AES instructions.
 */
int crypto_aead_aes256gcm_is_available(void);

int
crypto_aead_aes256gcm_is_available(void)
{
	return 0;
}
