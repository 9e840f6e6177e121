# SPDX-License-Identifier: Apache-2.0
"""Certificates of any key, times and extensions. Nobody signs them, for nobody looks."""
import base64
import datetime


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    length = size.to_bytes(max(1, (size.bit_length() + 7) // 8), "big")
    return bytes([tag]) + (length if size < 128 else bytes([128 + len(length)]) + length) + content


SIGNED_WITH = bytes.fromhex("300506032b6570")  # Ed25519
KEY_USAGE = bytes.fromhex("0603551d0f")
SIGNS = bytes.fromhex("03020780")      # digitalSignature
AGREES = bytes.fromhex("03020308")     # keyAgreement
DECIPHERS = bytes.fromhex("0303070880")  # keyAgreement, decipherOnly


def time(days):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days)
    return moment, der(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def extension(oid, value, critical=False):
    return der(0x30, oid, b"\x01\x01\xff" if critical else b"", der(4, value))


def certificate(spki, *extensions, begins=-1, ends=1):
    """DER, of a SubjectPublicKeyInfo in DER, valid from and to these days from now."""
    name = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403"), der(0x0c, b"hpke"))))
    signed = der(0x30, der(0xa0, der(2, b"\x02")), der(2, b"\x01"), SIGNED_WITH, name,
                 der(0x30, time(begins)[1], time(ends)[1]), name, spki,
                 der(0xa3, der(0x30, *extensions)) if extensions else b"")
    return der(0x30, signed, SIGNED_WITH, der(3, bytes(65)))


def pem(data):
    lines = base64.encodebytes(data)
    return b"-----BEGIN CERTIFICATE-----\n" + lines + b"-----END CERTIFICATE-----\n"
