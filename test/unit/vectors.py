#!/usr/bin/env python3
"""vectors.py [tokens|keyring]: prints known_envelopes.inc, or the known answers in token_test.c and
purpose_test.c, or that in keyring_test.c.

An implementation of the formats of its own, from their description in src/guard/token.h, src/vault/purpose.h,
src/vault/envelope.h, src/vault/keyring_format.h and src/vault/keyring_wrap.h:
BLAKE2b is Python's hashlib; XChaCha20-Poly1305 and XSalsa20-Poly1305 are written out below after RFC 8439, the
XChaCha draft and the papers on Salsa20; AES-GCM, the KDF in counter mode and X25519 are OpenSSL's. It shares no
code with the engine, so agreement pins the formats.
"""
import base64
import hashlib
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.kbkdf import CounterLocation, KBKDFHMAC, Mode
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

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


# --- sealed boxes: X25519, XSalsa20-Poly1305 ---

def salsa_rounds(state):
    x = list(state)

    def step(target, a, b, count):
        x[target] ^= rotate((x[a] + x[b]) & MASK, count)

    columns = [(0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)]
    rows = [(0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)]
    for _ in range(10):
        for a, b, c, d in columns + rows:
            step(b, a, d, 7)
            step(c, b, a, 9)
            step(d, c, b, 13)
            step(a, d, c, 18)
    return x


def salsa_state(key, middle):
    c, k = CONSTANTS, struct.unpack("<8I", key)
    return (c[0],) + k[:4] + (c[1],) + middle + (c[2],) + k[4:] + (c[3],)


def hsalsa20(key, nonce16):
    x = salsa_rounds(salsa_state(key, struct.unpack("<4I", nonce16)))
    return struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))


def salsa20_block(key, nonce8, counter):
    state = salsa_state(key, struct.unpack("<2I", nonce8) + (counter, 0))
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(salsa_rounds(state), state)))


def xsalsa20poly1305(key, nonce24, plaintext):
    subkey = hsalsa20(key, nonce24[:16])
    stream = b"".join(salsa20_block(subkey, nonce24[16:], i) for i in range(2 + len(plaintext) // 64))
    body = bytes(a ^ b for a, b in zip(plaintext, stream[32:]))
    return poly1305(stream[:32], body) + body


def public_half(secret):
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def sealed_box(recipient, ephemeral, plaintext):
    sender = public_half(ephemeral)
    shared = X25519PrivateKey.from_private_bytes(ephemeral).exchange(X25519PublicKey.from_public_bytes(recipient))
    key = hsalsa20(shared, bytes(16))
    return sender + xsalsa20poly1305(key, blake2b(sender + recipient, 24), plaintext)


# --- the formats ---

def token(kind, prefix, key_id, token_id, key):
    mac = blake2b(b"paws_sync token mac v1" + kind + bytes([key_id]) + token_id, 32, key)[:8]
    stored = token_id + bytes([key_id]) + mac
    wire = stored + blake2b(b"paws_sync token checksum v1" + kind + stored, 32)[:5]
    return prefix + base64.urlsafe_b64encode(wire).decode()


class Stream:
    """Stands in for the system's randomness: c0 c1 c2 ..., one stream through all calls."""

    def __init__(self):
        self.next = 0xC0

    def take(self, count):
        taken = bytes((self.next + i) & 0xFF for i in range(count))
        self.next += count
        return taken


class Case:
    """One envelope: what it is made of, as the fixture of the unit tests has it."""
    secret = bytes(range(32))
    key_id = bytes(range(0xA0, 0xB0))
    epoch, version = 3, 5
    outer_id, outer_secret = 9, bytes(range(0x80, 0xA0))
    collection, base_revision, operation = 7, 41, 0
    subject, doc_id, op_id = bytes([0x11]) * 16, bytes([0x22]) * 16, bytes([0x33]) * 16

    def __init__(self, suite, codec=0):
        self.suite = suite
        self.codec = codec
        self.purpose = 2 if suite in (0x03, 0x13) else 1
        self.random = Stream()

    def context(self):
        fields = [bytes([self.purpose]), struct.pack(">I", self.collection), self.subject, self.doc_id, self.op_id,
                  struct.pack(">Q", self.base_revision), bytes([self.operation])]
        return b"paws_sync context v1" + b"".join(struct.pack(">I", len(f)) + f for f in fields)

    def header(self):
        return (b"PW\x01" + bytes([self.suite, self.purpose]) + b"\x01\x00\x00" +
                struct.pack(">II", self.epoch, self.version) + self.key_id)

    def xchacha_layer(self, plaintext):
        nonce = self.random.take(24)
        both = blake2b(b"paws_sync envelope v1" + self.header() + nonce + blake2b(self.context(), 32), 64, self.secret)
        own = nonce + both[32:]
        return own + xchacha20poly1305(both[:32], nonce, plaintext, self.header() + own)

    def gcm_layer(self, header, secret, plaintext):
        salt = self.random.take(32)
        both = KBKDFHMAC(algorithm=SHA512(), mode=Mode.CounterMode, length=64, rlen=4, llen=4,
                         location=CounterLocation.BeforeFixed, label=b"paws_sync envelope v1 aes-256-gcm",
                         context=header + salt + self.context(), fixed=None).derive(secret)
        own = salt + both[32:]
        return own + AESGCM(both[:32]).encrypt(bytes(12), plaintext, header + own)

    def sealed_layer(self, plaintext):
        recipient = public_half(self.secret)
        message_secret = self.random.take(32)
        box = sealed_box(recipient, self.random.take(32), message_secret)
        both = blake2b(b"paws_sync envelope v1 sealed" + self.header() + box + recipient +
                       blake2b(self.context(), 32), 64, message_secret)
        own = box + both[32:]
        return own + xchacha20poly1305(both[:32], bytes(24), plaintext, self.header() + own)

    def seal(self, stored, bucket):
        padded = bytes([self.codec]) + struct.pack(">I", len(stored)) + stored
        padded += bytes(bucket - len(padded))
        if self.suite == 0x01:
            return self.header() + self.xchacha_layer(padded)
        if self.suite == 0x02:
            return self.header() + self.gcm_layer(self.header(), self.secret, padded)
        if self.suite == 0x03:
            return self.header() + self.sealed_layer(padded)
        inner = self.xchacha_layer(padded) if self.suite == 0x12 else self.sealed_layer(padded)
        header = self.header() + struct.pack(">I", self.outer_id)
        return header + self.gcm_layer(header, self.outer_secret, inner)


def show_tokens():
    mint_key = bytes(range(32))
    token_id = bytes(range(0x40, 0x50))
    for kind, prefix in ((b"s", "sub_"), (b"d", "dev_"), (b"c", "ctx_"), (b"e", "ses_")):
        print(token(kind, prefix, 1, token_id, mint_key))


def purpose_key(parent, label):
    return blake2b(b"".join(struct.pack(">I", len(f)) + f for f in (b"paws_sync purpose v1", label)), 32, parent)


def show_purposes():
    for label in (b"revision seal", b""):
        print(label.decode(), purpose_key(bytes(range(32)), label).hex())


def keyring_line(words, kind, root, number, root_id, system, database, time, wrap_key, nonce, key):
    bound = b"paws_sync keyring v1".ljust(24, b"\0") + struct.pack(
        ">HHIIIQQ", kind, root, number, root_id, database, system, time)
    return f"{words} {(nonce + xchacha20poly1305(wrap_key, nonce, key, bound)).hex()}\n"


def show_keyring():
    wrap_key = bytes(range(0x80, 0xA0))
    lines = "paws_sync keyring 1\ngeneration 7\nhighest 2 0 0\n"
    lines += keyring_line("base care 1 3 1000000", 1, 1, 1, 3, 0, 0, 1000000, wrap_key,
                          bytes(range(0x10, 0x28)), bytes(range(32)))
    lines += keyring_line("epoch care 2 3 18446744073709551615 16384 2000000", 2, 1, 2, 3, 2 ** 64 - 1, 16384, 2000000,
                          wrap_key, bytes(range(0x30, 0x48)), bytes(range(32, 64)))
    lines += "destroyed care 1 77 5 3000000\n"
    print(lines + f"checksum {blake2b(lines.encode(), 32).hex()}")


def show_hex(data):
    text = data.hex()
    for i in range(0, len(text), 96):
        print('\t\t"%s"%s' % (text[i:i + 96], "," if i + 96 >= len(text) else ""))


def show_envelopes():
    print("/* Made by vectors.py: suite, codec, envelope of the known payload, BLAKE2b-256 of that of the long one. */")
    for suite, codec in ((0x01, 0), (0x02, 0), (0x03, 0), (0x12, 0), (0x13, 0), (0x01, 2), (0x12, 1)):
        print("\t{0x%02x, %d," % (suite, codec))
        show_hex(Case(suite, codec).seal(b"one quiet sentence", 256))
        show_hex(blake2b(Case(suite, codec).seal(bytes(i % 251 for i in range(1000)), 1024), 32))
        print("\t},")


if __name__ == "__main__":
    if sys.argv[1:] == ["tokens"]:
        show_tokens()
        show_purposes()
    elif sys.argv[1:] == ["keyring"]:
        show_keyring()
    else:
        show_envelopes()
