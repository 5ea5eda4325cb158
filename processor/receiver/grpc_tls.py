"""TLS of the gRPC server: gRPC asks for the certificate at every connection, and gets the one of now.

Source: grpc core, "dynamic server certificates".
"""

from __future__ import annotations

import grpc

from processor.tls.server import Pem, ServerTls


def server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Credentials that follow the files of `tls`, which has been started."""
    given = tls.pem
    requires_client = given.client_ca is not None

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # Called in threads of core, one at a time.
        nonlocal given
        now = tls.pem
        if now is given:
            return None
        given = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(given),
        changed,  # type: ignore[arg-type]  # None is "no change", which the stubs leave out
        requires_client,
    )


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificates)], pem.client_ca)
