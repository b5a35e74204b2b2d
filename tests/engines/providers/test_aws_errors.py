"""What AWS's refusals become: a server that answers as told stands in for a cloud in trouble."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from roadbed.controller import SystemClock
from roadbed.engines.providers import external
from roadbed.engines.providers.aws.accounts import Account, Models
from roadbed.engines.providers.aws.credentials import Endpoint, Keys
from roadbed.engines.providers.aws.errors import translated
from roadbed.engines.providers.aws.limits import TokenBucket

MODELS = Models()


def opened(url):
    return Account(
        label="ClusterProviderConfig default",
        keys=Keys("AKIAEXAMPLE", "verysecret", ""),
        profile="",
        endpoint=Endpoint(url),
        path_style=True,
        bucket=TokenBucket(SystemClock()),
        threads=ThreadPoolExecutor(1),
        models=MODELS,
    )


@pytest.fixture(scope="module")
def account(endpoint):
    found = opened(endpoint.url)
    found.client("ec2", "eu-west-1")
    yield found
    found.close()
    found.threads.shutdown()


async def failure(account, *, changing=False):
    def describe(aws):
        aws.client("ec2").describe_vpcs()

    with pytest.raises(external.ExternalError) as caught:
        await account.call(describe, "eu-west-1", changing)
    assert "verysecret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "family", "says"),
    [
        (400, "RequestLimitExceeded", external.ThrottledError, "slow down"),
        (503, "SlowDown", external.ThrottledError, "slow down"),
        (429, "Whatever", external.ThrottledError, "slow down"),
        (
            401,
            "AuthFailure",
            external.CredentialsError,
            "check the credentials of ClusterProviderConfig default",
        ),
        (403, "InvalidClientTokenId", external.CredentialsError, "check the credentials"),
        (400, "ExpiredToken", external.CredentialsError, "check the credentials"),
        (403, "UnauthorizedOperation", external.AccessDeniedError, "the right to DescribeVpcs"),
        (403, "AccessDenied", external.AccessDeniedError, "ClusterProviderConfig default"),
        (400, "DependencyViolation", external.InUseError, "until nothing depends on it"),
        (400, "InvalidParameterValue", external.InvalidRequestError, "in words"),
        (500, "InternalError", external.ExternalError, "AWS has trouble"),
        (404, "InvalidVpcID.NotFound", external.ExternalError, "in words"),
    ],
)
async def test_an_answer_becomes_an_error_with_a_next_step(account, endpoint, status, code, family, says):
    endpoint.status, endpoint.code, endpoint.headers = status, code, {}
    error = await failure(account)
    assert type(error) is family
    assert "DescribeVpcs" in str(error)
    assert code in str(error)
    assert says in str(error)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "Wed, 21 Oct 2037 07:28:30 GMT", "Date": "Wed, 21 Oct 2037 07:28:00 GMT"}, 30),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "999999"}, 3600),
        ({}, 0),
    ],
)
async def test_retry_after_is_honoured_within_reason(account, endpoint, headers, seconds):
    endpoint.status, endpoint.code, endpoint.headers = 429, "TooManyRequestsException", headers
    error = await failure(account)
    assert error.retry_after_s == seconds


async def test_boto_does_not_retry_by_itself(account, endpoint):
    endpoint.status, endpoint.code, endpoint.headers, endpoint.requests = 500, "InternalError", {}, 0
    await failure(account)
    assert endpoint.requests == 1


@pytest.mark.parametrize("status", [0, 500])
async def test_a_change_whose_answer_is_lost_has_an_unknown_outcome(account, endpoint, status):
    endpoint.status, endpoint.code, endpoint.headers = status, "InternalError", {}
    assert type(await failure(account, changing=True)) is external.UnknownOutcomeError


async def test_a_server_that_is_not_aws_is_told_apart(account, endpoint, monkeypatch):
    monkeypatch.setattr(endpoint, "body", "<html>hello")
    endpoint.status = 200
    error = await failure(account)
    assert type(error) is external.UnreachableError
    assert "what answers is not AWS" in str(error)


async def test_a_lost_answer_to_a_question_is_only_unreachable(account, endpoint):
    endpoint.status = 0
    assert type(await failure(account)) is external.UnreachableError


async def test_an_endpoint_that_is_down_is_unreachable_even_for_changes():
    account = opened("http://127.0.0.1:9")
    try:
        error = await failure(account, changing=True)
        assert type(error) is external.UnreachableError
        assert "spec.endpoint of ClusterProviderConfig default" in str(error)
    finally:
        account.close()
        account.threads.shutdown()


@pytest.mark.parametrize(
    ("status", "family", "says"),
    [
        (403, external.AccessDeniedError, "are valid, that they have the right to HeadBucket"),
        (503, external.ExternalError, "has trouble or asks to slow down"),
    ],
)
def test_an_answer_without_a_body_names_what_it_may_mean(status, family, says):
    """S3 is asked by HEAD, whose refusals carry a number only."""
    response = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = translated(ClientError(response, "HeadBucket"), through="ClusterProviderConfig x", changing=False)
    assert type(error) is family
    assert says in str(error)
