#!/usr/bin/env python3
"""Prints published test vectors for published_test.c, one a line: source, kind, verdict and its fields in hex ("-"
if empty).

  xchacha, gcm   valid or invalid: key, nonce, associated data, plaintext ("-" if invalid), ciphertext and tag
  kdf            valid: key, fixed input, output
  x25519         valid: secret, public key, shared secret; invalid: secret, public key, "-"
  blake2b        valid: message, digest of 64 bytes

They come from the packages python3-cryptography-vectors (NIST's CAVP for AES-GCM and the KDF in counter mode, RFC
7748, BLAKE2) and golang-golang-x-crypto-dev (XChaCha20-Poly1305). WYCHEPROOF=DIR names a folder with the JSON files
of project Wycheproof (testvectors_v1), whose verdicts are then tried too.
"""
import json
import os
import re
import sys

import cryptography_vectors

GO = "/usr/share/gocode/src/golang.org/x/crypto/chacha20poly1305/chacha20poly1305_vectors_test.go"


def emit(source, kind, verdict, *fields):
    print(source, kind, verdict, *(field.lower() or "-" for field in fields))


def lines_of(*path):
    with cryptography_vectors.open_vector_file(os.path.join(*path), "r") as file:
        for line in file:
            yield line.strip()


def pairs(line):
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


def emit_gcm(fields, verdict):
    if len(fields["IV"]) == 24 and len(fields["Tag"]) == 32:
        emit("cavp", "gcm", verdict, fields["Key"], fields["IV"], fields["AAD"], fields.get("PT", ""),
             fields["CT"] + fields["Tag"])


def gcm():
    """A case ends with the plaintext or FAIL when decrypting, with the tag when encrypting."""
    for name in ("gcmDecrypt256.rsp", "gcmEncryptExtIV256.rsp"):
        last = "PT" if "Decrypt" in name else "Tag"
        fields = {}
        for line in lines_of("ciphers", "AES", "GCM", name):
            if line.startswith("Count"):
                fields = {}
            elif line == "FAIL":
                emit_gcm(fields, "invalid")
            elif "=" in line and not line.startswith("["):
                key, value = pairs(line)
                fields[key] = value
                if key == last:
                    emit_gcm(fields, "valid")


def kdf():
    """Those with HMAC-SHA-512 and a counter of 32 bits in front."""
    section = {}
    fields = {}
    for line in lines_of("KDF", "nist-800-108-KBKDF-CTR.txt"):
        if line.startswith("["):
            key, value = pairs(line.strip("[]"))
            if key == "PRF":
                section = {}
            section[key] = value
        elif "=" in line:
            key, value = pairs(line)
            fields[key] = value
            if key == "KO" and section == {"PRF": "HMAC_SHA512", "CTRLOCATION": "BEFORE_FIXED", "RLEN": "32_BITS"}:
                emit("cavp", "kdf", "valid", fields["KI"], fields["FixedInputData"], value)


def x25519():
    fields = {}
    for line in lines_of("asymmetric", "X25519", "rfc7748.txt"):
        if "=" in line and not line.startswith("#"):
            key, value = pairs(line)
            fields[key] = value
            if key == "OUTPUT_U":
                emit("rfc7748", "x25519", "valid", fields["INPUT_SCALAR"], fields["INPUT_U"], value)


def blake2b():
    fields = {}
    for line in lines_of("hashes", "blake2", "blake2b.txt"):
        if "=" in line:
            key, value = pairs(line)
            fields[key] = value
            if key == "MD":
                emit("blake2", "blake2b", "valid", "" if fields["Len"] == "0" else fields["Msg"], value)


def xchacha():
    text = re.sub(r"//[^\n]*", "", open(GO).read())
    for plain, associated, key, nonce, sealed in re.findall(r"\{\s*" + r'"([0-9a-f]*)",\s*' * 5 + r"\}", text):
        if len(nonce) == 48:
            emit("go", "xchacha", "valid", key, nonce, associated, plain, sealed)


def wycheproof(folder, name):
    with open(os.path.join(folder, name + "_test.json")) as file:
        for group in json.load(file)["testGroups"]:
            for test in group["tests"]:
                yield group, test


def wycheproof_aead(folder, name, kind, nonce_bits):
    for group, test in wycheproof(folder, name):
        if (group["ivSize"], group["keySize"], group["tagSize"]) == (nonce_bits, 256, 128):
            emit("wycheproof", kind, test["result"], test["key"], test["iv"], test["aad"], test["msg"],
                 test["ct"] + test["tag"])


def wycheproof_x25519(folder):
    """What is "acceptable" there is a public key that is not on the curve, which all implementations take, or one of
    small order, which gives zeros and is refused by libsodium."""
    for _, test in wycheproof(folder, "x25519"):
        zeros = set(test["shared"]) == {"0"}
        emit("wycheproof", "x25519", "invalid" if zeros else "valid", test["private"], test["public"],
             "" if zeros else test["shared"])


if __name__ == "__main__":
    gcm()
    kdf()
    x25519()
    blake2b()
    xchacha()
    if os.environ.get("WYCHEPROOF"):
        wycheproof_aead(os.environ["WYCHEPROOF"], "xchacha20_poly1305", "xchacha", 192)
        wycheproof_aead(os.environ["WYCHEPROOF"], "aes_gcm", "gcm", 96)
        wycheproof_x25519(os.environ["WYCHEPROOF"])
    sys.stdout.flush()
