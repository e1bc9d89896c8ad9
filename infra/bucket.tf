# The store. Objects are written once, under their sha256, and deleted by `sacker gc --delete` alone.
resource "aws_s3_bucket" "store" {
  #checkov:skip=CKV2_AWS_62:nothing of sacker waits for events; add a notification of your own
  bucket        = var.bucket_name
  bucket_prefix = var.bucket_prefix
  tags          = var.tags

  # S3 refuses to delete a bucket that isn't empty, but only after its policy, its lifecycle and its public access block
  # are gone. This makes the plan fail instead.
  lifecycle {
    prevent_destroy = true

    precondition {
      condition     = (var.bucket_name == null) != (var.bucket_prefix == null)
      error_message = "Give either bucket_name or bucket_prefix."
    }
  }
}

# With versioning, a deleted or overwritten blob can be brought back for noncurrent_version_days.
resource "aws_s3_bucket_versioning" "store" {
  bucket = aws_s3_bucket.store.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "store" {
  bucket = aws_s3_bucket.store.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# No ACLs: what another account uploads belongs to the bucket's owner, and policies alone decide.
resource "aws_s3_bucket_ownership_controls" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }

    # One request to KMS for many objects, instead of one each.
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  # Parts of an upload that died are stored, and paid for, but show up in no listing.
  # S3 counts from when an upload was begun, also while it still runs; `sacker gc --delete` aborts one to which nothing was
  # written for a day.
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
      noncurrent_days = var.noncurrent_version_days
    }

    # The delete marker that is left when the last version under it is gone.
    expiration {
      expired_object_delete_marker = true
    }
  }

  # Noncurrent versions exist only where versioning is on.
  depends_on = [aws_s3_bucket_versioning.store]
}

data "aws_iam_policy_document" "store" {
  source_policy_documents = var.bucket_policy_documents

  statement {
    sid     = "TlsOnly"
    effect  = "Deny"
    actions = ["s3:*"]
    resources = [
      aws_s3_bucket.store.arn,
      "${aws_s3_bucket.store.arn}/*",
    ]

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

  dynamic "statement" {
    for_each = var.require_latest_tls ? ["1.2"] : []

    content {
      sid     = "LatestTlsOnly"
      effect  = "Deny"
      actions = ["s3:*"]
      resources = [
        aws_s3_bucket.store.arn,
        "${aws_s3_bucket.store.arn}/*",
      ]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "NumericLessThan"
        variable = "s3:TlsVersion"
        values   = [statement.value]
      }
    }
  }

  # sacker names no encryption, so that the bucket's own applies. A client that names another one would leave objects
  # that the others can't read.
  dynamic "statement" {
    for_each = var.deny_other_encryption ? [var.kms_key_arn == null ? "AES256" : "aws:kms"] : []

    content {
      sid       = "NoOtherEncryption"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.store.arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "StringNotEqualsIfExists"
        variable = "s3:x-amz-server-side-encryption"
        values   = [statement.value]
      }

      condition {
        test     = "Null"
        variable = "s3:x-amz-server-side-encryption"
        values   = ["false"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.deny_other_encryption && var.kms_key_arn != null ? [var.kms_key_arn] : []

    content {
      sid       = "NoOtherKey"
      effect    = "Deny"
      actions   = ["s3:PutObject"]
      resources = ["${aws_s3_bucket.store.arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "StringNotEqualsIfExists"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = [statement.value]
      }

      condition {
        test     = "Null"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = ["false"]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "store" {
  bucket = aws_s3_bucket.store.id
  policy = data.aws_iam_policy_document.store.json

  # S3 refuses both of these changes at once.
  depends_on = [aws_s3_bucket_public_access_block.store]
}
