"""Ask a receiver and an API of a release whether they answer. Arguments: the URLs of an export and of a list.

Where tokens or client certificates are asked for, being told so is an answer: this pod has none.
"""

import ssl
import sys
import urllib.error
import urllib.request

# The certificate is for the name that clients use; whether it is that one is not asked here.
TRUST_ANY = ssl.create_default_context()
TRUST_ANY.check_hostname = False
TRUST_ANY.verify_mode = ssl.CERT_NONE


def answers(request: urllib.request.Request) -> bool:
    """Whether it is answered with 200, 401 or 403, or with the wish for a certificate."""
    try:
        with urllib.request.urlopen(request, timeout=10, context=TRUST_ANY) as response:
            status = response.status
    except urllib.error.HTTPError as error:
        status = error.code
    except (OSError, ssl.SSLError) as error:
        print(f"{request.full_url}: {error}")
        return "CERTIFICATE_REQUIRED" in str(error).upper()
    print(f"{request.full_url}: {status}")
    return status in (200, 401, 403)


export, sessions = sys.argv[1:]
protobuf = {"Content-Type": "application/x-protobuf"}
received = answers(urllib.request.Request(export, data=b"", headers=protobuf, method="POST"))
listed = answers(urllib.request.Request(sessions))
sys.exit(0 if received and listed else 1)
