"""Encryption with a key or a password, and passwords for storing: by a library, put together by its rules."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from mlp import Refused, serve
from werkzeug.security import check_password_hash, generate_password_hash

NONCE, SALT = 12, 16
KNOWN = {"AES-256-GCM": AESGCM, "CHACHA20-POLY1305": ChaCha20Poly1305}


def encrypt(key, text, data):
    # From the system's own source, each time: a nonce that comes twice under one key gives both messages away.
    nonce = os.urandom(NONCE)
    return nonce + AESGCM(key).encrypt(nonce, text, data)


def decrypt(key, blob, data):
    try:
        return AESGCM(key).decrypt(blob[:NONCE], blob[NONCE:], data)
    except (InvalidTag, ValueError):
        # Whatever is wrong: who forges learns nothing from the answer.
        raise Refused("TAMPERED") from None


def key_of(password, salt):
    return Scrypt(salt=salt, length=32, n=2**14, r=8, p=1).derive(password.encode())


def seal(password, text):
    salt = os.urandom(SALT)
    return salt + encrypt(key_of(password, salt), text, salt)


def unseal(password, blob):
    salt, rest = blob[:SALT], blob[SALT:]
    return decrypt(key_of(password, salt), rest, salt)


def known_answer(algorithm, key, nonce, data, text):
    if algorithm not in KNOWN:
        raise Refused("ALG")
    return KNOWN[algorithm](key).encrypt(nonce, text, data)


serve(
    "crypto",
    {
        "ENC": lambda key, text, data: encrypt(*map(bytes.fromhex, (key, text, data))).hex(),
        "DEC": lambda key, blob, data: decrypt(*map(bytes.fromhex, (key, blob, data))).hex(),
        "SEAL": lambda password, text: seal(password, bytes.fromhex(text)).hex(),
        "OPEN": lambda password, blob: unseal(password, bytes.fromhex(blob)).hex(),
        "HASHPW": generate_password_hash,
        "VERIFY": lambda password, stored: check_password_hash(stored, password),
        "KAT": lambda algorithm, *rest: known_answer(algorithm, *map(bytes.fromhex, rest)).hex(),
    },
    has=["KAT"],
)
