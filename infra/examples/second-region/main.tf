# Disaster recovery in a second region: the blobs are replicated there, and each backup of the table is copied there. The
# README describes how to resume in the second region when the first is lost. The roles of people and pipelines are those of
# the module `modules/roles`: use it a second time, for the table and the bucket of the second region.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "region" {
  description = "AWS region of the table and the bucket."
  type        = string
  default     = "eu-west-1"
}

variable "second_region" {
  description = "AWS region of the copies."
  type        = string
  default     = "eu-central-1"
}

variable "bucket_name" {
  description = "Name of the bucket; unique across all of AWS. That of the copy ends with -copy."
  type        = string
}

variable "alarm_topic_arn" {
  description = "ARN of an SNS topic that is notified if the replication lags or a backup fails."
  type        = string
}

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "second"
  region = var.second_region
}

module "sacker" {
  source = "../.."

  bucket_name   = var.bucket_name
  replication   = { bucket_arn = aws_s3_bucket.copy.arn }
  backup        = { copy_to_vault_arn = aws_backup_vault.copy.arn }
  alarm_actions = [var.alarm_topic_arn]

  # The copy must be versioned before anything is replicated to it.
  depends_on = [aws_s3_bucket_versioning.copy]
}

resource "aws_backup_vault" "copy" {
  #checkov:skip=CKV_AWS_166:encrypted with the key that AWS manages; give kms_key_arn for one of your own
  provider = aws.second

  name = "sacker-copy"
}

# It has the settings of the original, so that it can take its place.
resource "aws_s3_bucket" "copy" {
  #checkov:skip=CKV2_AWS_62:nothing of sacker waits for events
  #checkov:skip=CKV_AWS_18:the log of requests is an option of the module, which this copy mirrors by default
  #checkov:skip=CKV_AWS_145:encrypted with SSE-S3, as the original is without a key of your own
  #checkov:skip=CKV_AWS_144:it is the copy
  provider = aws.second

  bucket = "${var.bucket_name}-copy"

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id

  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 30
    }
  }

  rule {
    id     = "expire-noncurrent-versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 30
    }

    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.copy]
}

data "aws_iam_policy_document" "copy" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.copy.arn, "${aws_s3_bucket.copy.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "copy" {
  provider = aws.second

  bucket = aws_s3_bucket.copy.id
  policy = data.aws_iam_policy_document.copy.json

  depends_on = [aws_s3_bucket_public_access_block.copy]
}

output "sacker_json" {
  description = "Content for ~/.sacker.json."
  value       = module.sacker.sacker_json
}

output "second_store_url" {
  description = "URL of the copy, for --store in the second region."
  value       = "s3://${aws_s3_bucket.copy.bucket}?region=${var.second_region}"
}
