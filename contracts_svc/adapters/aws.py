"""AWS credentials by the usual chain: environment, profile, web identity, instance role."""

from __future__ import annotations

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.ports import S3Access


def from_chain(*, profile: str, region: str, endpoint: str, path_style: bool) -> S3Access:
    """Credentials as AWS's own tools would find them; empty ones where there are none (public buckets).

    Raises UserMistake for a profile that does not exist, CouldNotCheck when the chain fails.
    """
    import botocore.exceptions
    import botocore.session

    try:
        session = botocore.session.Session(profile=profile or None)
        found = session.get_credentials()
        keys = found.get_frozen_credentials() if found else None
        return S3Access(
            access_key=(keys.access_key if keys else "") or "",
            secret_key=(keys.secret_key if keys else "") or "",
            session_token=(keys.token if keys else "") or "",
            region=region or session.get_config_variable("region") or "us-east-1",
            endpoint=endpoint,
            path_style=path_style,
        )
    except botocore.exceptions.ProfileNotFound as error:
        raise UserMistake.of(
            str(error), "see `aws configure list-profiles`, or CONTRACTS_S3_PROFILE"
        ) from None
    except botocore.exceptions.BotoCoreError as error:
        raise CouldNotCheck(
            "find AWS credentials", str(error), "log in again, or set CONTRACTS_S3_*"
        ) from error
