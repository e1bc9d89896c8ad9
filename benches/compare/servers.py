"""The servers that all are timed against, and what is asked of them outside the timing."""

import os
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import botocore.config
import botocore.session

BUCKET = "peers"
PART = 16 << 20


@dataclass
class Servers:
    peers: Path  # where they are installed
    folder: Path  # for what is made on the way

    def __post_init__(self):
        self.s3_url = os.environ["SACKER_TEST_S3"]
        self.dynamodb_url = os.environ["SACKER_TEST_DYNAMODB"]
        self.region = os.environ["AWS_REGION"]
        self.session = botocore.session.get_session()
        self.session.set_config_variable("region", self.region)
        self.s3 = self.s3_at(self.s3_url)
        self.dynamodb = self.session.create_client("dynamodb", endpoint_url=self.dynamodb_url)
        for bucket in (BUCKET, "sacker", "registry"):
            self.s3.create_bucket(Bucket=bucket)
        for name, keys in (("peers", ("k",)), ("bare", ("pk", "sk"))):
            schema = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"))]
            self.dynamodb.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                KeySchema=schema,
            )

    def s3_at(self, url):
        """A client that reaches the same server by another address."""
        path_style = botocore.config.Config(s3={"addressing_style": "path"}, signature_version="s3v4")
        return self.session.create_client("s3", endpoint_url=url, config=path_style)

    def environment(self):
        """What every command runs in: an empty home, and nothing of the user's."""
        key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        address = self.s3_url.removeprefix("http://")
        return {
            "PATH": f"{self.peers}/bin:{self.peers}/python/bin:/usr/bin:/bin",
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "S3_ENDPOINT_URL": self.s3_url,
            "MC_HOST_bench": f"http://{key}:{secret}@{address}",
            "SACKER_LEDGER": f"dynamodb://sacker?region={self.region}&endpoint={self.dynamodb_url}",
            "SACKER_STORE": f"s3://sacker/blobs?region={self.region}&endpoint={self.s3_url}",
        }

    def start_registry(self):
        """A registry that keeps what it holds on the same MinIO, and hands its blobs out from there."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        config = self.folder / "registry.yml"
        config.write_text(
            f"""version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
http: {{addr: "127.0.0.1:{port}", secret: benches}}
storage:
  delete: {{enabled: true}}
  cache: {{blobdescriptor: inmemory}}
  s3: {{region: {self.region}, regionendpoint: "{self.s3_url}", forcepathstyle: true, secure: false,
        bucket: registry, accesskey: {key}, secretkey: {secret}}}
"""
        )
        log = (self.folder / "registry.log").open("w")
        registry = subprocess.Popen(
            [self.peers / "bin/registry", "serve", config], stdout=log, stderr=log, env=self.environment()
        )
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1)
                return registry, f"127.0.0.1:{port}"
            except OSError:
                time.sleep(0.1)
        registry.kill()
        raise SystemExit(f"the registry did not start:\n{(self.folder / 'registry.log').read_text()}")

    def presigned(self, operation, at=None, **parameters):
        parameters = {"Bucket": BUCKET, **parameters}
        client = self.s3_at(at) if at else self.s3
        return client.generate_presigned_url(operation, Params=parameters, ExpiresIn=3600)

    def presigned_parts(self, key, parts, at=None):
        """A URL for each part of a new upload: signed, and with nothing that sums the bytes up."""
        upload = self.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        return [
            self.presigned("upload_part", at, Key=key, UploadId=upload, PartNumber=number + 1) for number in range(parts)
        ]

    def empty(self):
        """Removes the bytes that were uploaded: a gigabyte a command and round would fill the disk."""
        for bucket, prefix in ((BUCKET, ""), ("sacker", "blobs/sha256/"), ("registry", "")):
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    self.s3.delete_object(Bucket=bucket, Key=item["Key"])
            for upload in self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                self.s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        time.sleep(2)  # MinIO begins to free what was deleted each second, which is no part of what comes next
