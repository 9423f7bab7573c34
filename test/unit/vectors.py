#!/usr/bin/env python3
"""Prints the known answers in token_test.c, envelope_test.c, purpose_test.c and keyring_test.c.

An implementation of the formats of its own, from their description in src/guard/token.h, src/vault/envelope.h,
src/vault/purpose.h, src/vault/keyring_format.h and src/vault/keyring_wrap.h:
BLAKE2b is Python's hashlib, XChaCha20-Poly1305 is written out below after RFC 8439 and the XChaCha draft. It shares
no code with the engine, so agreement pins the formats.
"""
import base64
import hashlib
import struct

MASK = 0xFFFFFFFF


def blake2b(data, size, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


# --- XChaCha20-Poly1305 ---

def rotate(value, count):
    return ((value << count) | (value >> (32 - count))) & MASK


def quarter_round(s, a, b, c, d):
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 16)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 12)
    s[a] = (s[a] + s[b]) & MASK
    s[d] = rotate(s[d] ^ s[a], 8)
    s[c] = (s[c] + s[d]) & MASK
    s[b] = rotate(s[b] ^ s[c], 7)


def rounds(state):
    s = list(state)
    for _ in range(10):
        quarter_round(s, 0, 4, 8, 12)
        quarter_round(s, 1, 5, 9, 13)
        quarter_round(s, 2, 6, 10, 14)
        quarter_round(s, 3, 7, 11, 15)
        quarter_round(s, 0, 5, 10, 15)
        quarter_round(s, 1, 6, 11, 12)
        quarter_round(s, 2, 7, 8, 13)
        quarter_round(s, 3, 4, 9, 14)
    return s


CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def chacha20_block(key, counter, nonce):
    state = list(CONSTANTS + struct.unpack("<8I", key) + (counter,) + struct.unpack("<3I", nonce))
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(rounds(state), state)))


def chacha20(key, counter, nonce, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        block = chacha20_block(key, counter + i // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[i:i + 64], block))
    return bytes(out)


def hchacha20(key, nonce16):
    s = rounds(CONSTANTS + struct.unpack("<8I", key) + struct.unpack("<4I", nonce16))
    return struct.pack("<8I", *(s[0:4] + s[12:16]))


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for i in range(0, len(data), 16):
        total = (total + int.from_bytes(data[i:i + 16] + b"\x01", "little")) * r % ((1 << 130) - 5)
    return ((total + int.from_bytes(key[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def fill16(data):
    return data + bytes(-len(data) % 16)


def xchacha20poly1305(key, nonce, plaintext, associated):
    subkey = hchacha20(key, nonce[:16])
    nonce12 = bytes(4) + nonce[16:]
    body = chacha20(subkey, 1, nonce12, plaintext)
    lengths = struct.pack("<QQ", len(associated), len(body))
    return body + poly1305(chacha20_block(subkey, 0, nonce12)[:32], fill16(associated) + fill16(body) + lengths)


# --- the formats ---

def token(kind, prefix, key_id, token_id, key):
    mac = blake2b(b"paws_sync token mac v1" + kind + bytes([key_id]) + token_id, 32, key)[:8]
    stored = token_id + bytes([key_id]) + mac
    wire = stored + blake2b(b"paws_sync token checksum v1" + kind + stored, 32)[:5]
    return prefix + base64.urlsafe_b64encode(wire).decode()


def envelope(secret, key_id, epoch, version, nonce, context, payload, bucket):
    header = b"PW\x01\x01\x01\x01\x00\x00" + struct.pack(">II", epoch, version) + key_id + nonce
    fields = b"paws_sync context v1" + b"".join(struct.pack(">I", len(f)) + f for f in context)
    both = blake2b(b"paws_sync envelope v1" + header + blake2b(fields, 32), 64, secret)
    padded = b"\x00" + struct.pack(">I", len(payload)) + payload
    padded += bytes(bucket - len(padded))
    associated = header + both[32:]
    return associated + xchacha20poly1305(both[:32], nonce, padded, associated)


def keyring_line(words, kind, root, number, root_id, system, database, time, wrap_key, nonce, key):
    bound = b"paws_sync keyring v1".ljust(24, b"\0") + struct.pack(
        ">HHIIIQQ", kind, root, number, root_id, database, system, time)
    return f"{words} {(nonce + xchacha20poly1305(wrap_key, nonce, key, bound)).hex()}\n"


def keyring():
    wrap_key = bytes(range(0x80, 0xA0))
    lines = "paws_sync keyring 1\ngeneration 7\nhighest 2 0 0\n"
    lines += keyring_line("base care 1 3 1000000", 1, 1, 1, 3, 0, 0, 1000000, wrap_key,
                          bytes(range(0x10, 0x28)), bytes(range(32)))
    lines += keyring_line("epoch care 2 3 18446744073709551615 16384 2000000", 2, 1, 2, 3, 2 ** 64 - 1, 16384, 2000000,
                          wrap_key, bytes(range(0x30, 0x48)), bytes(range(32, 64)))
    lines += "destroyed care 1 77 5 3000000\n"
    return lines + f"checksum {blake2b(lines.encode(), 32).hex()}\n"


def purpose_key(parent, label):
    return blake2b(b"".join(struct.pack(">I", len(f)) + f for f in (b"paws_sync purpose v1", label)), 32, parent)


def show(name, data):
    print(name)
    text = data.hex()
    for i in range(0, len(text), 96):
        print('\t"%s"' % text[i:i + 96])


if __name__ == "__main__":
    mint_key = bytes(range(32))
    token_id = bytes(range(0x40, 0x50))
    for kind, prefix in ((b"s", "sub_"), (b"d", "dev_"), (b"c", "ctx_"), (b"e", "ses_")):
        print(token(kind, prefix, 1, token_id, mint_key))

    for label in (b"revision seal", b""):
        show("purpose", purpose_key(mint_key, label))

    print(keyring())

    context = [b"\x01", struct.pack(">I", 7), bytes([0x11]) * 16, bytes([0x22]) * 16, bytes([0x33]) * 16,
               struct.pack(">Q", 41), b"\x00"]
    arguments = (bytes(range(32)), bytes(range(0xA0, 0xB0)), 3, 5, bytes(range(0xC0, 0xD8)), context)
    show("short", envelope(*arguments, b"one quiet sentence", 256))
    show("hash of the long one", blake2b(envelope(*arguments, bytes(i % 251 for i in range(1000)), 1024), 32))
