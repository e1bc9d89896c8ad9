# A copy of the blobs in another region or account. Removing a blob is not copied, so that a mistaken collection does not
# reach the copy.
locals {
  replicates = var.replication == null ? [] : [var.replication]
}

data "aws_iam_policy_document" "replication_trust" {
  count = length(local.replicates)

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "replication" {
  count = length(local.replicates)

  statement {
    sid       = "ReadConfiguration"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.store.arn]
  }

  statement {
    sid = "ReadObjects"
    actions = [
      "s3:GetObjectVersionForReplication",
      "s3:GetObjectVersionAcl",
      "s3:GetObjectVersionTagging",
    ]
    resources = ["${aws_s3_bucket.store.arn}/*"]
  }

  statement {
    sid       = "WriteCopies"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"]
    resources = ["${local.replicates[count.index].bucket_arn}/*"]
  }

  dynamic "statement" {
    for_each = compact([var.kms_key_arn])

    content {
      sid       = "Decrypt"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = compact([local.replicates[count.index].kms_key_arn])

    content {
      sid       = "Encrypt"
      actions   = ["kms:Encrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "replication" {
  count = length(local.replicates)

  name               = "${local.table_name}-replication"
  description        = "Copies the blobs of sacker to another bucket"
  assume_role_policy = data.aws_iam_policy_document.replication_trust[count.index].json
  tags               = var.tags
}

resource "aws_iam_role_policy" "replication" {
  count = length(local.replicates)

  name   = "replication"
  role   = aws_iam_role.replication[count.index].id
  policy = data.aws_iam_policy_document.replication[count.index].json
}

resource "aws_s3_bucket_replication_configuration" "store" {
  count = length(local.replicates)

  bucket = aws_s3_bucket.store.id
  role   = aws_iam_role.replication[count.index].arn

  rule {
    id     = "blobs"
    status = "Enabled"

    filter {
      prefix = var.prefix == "" ? "" : "${var.prefix}/"
    }

    delete_marker_replication {
      status = "Disabled"
    }

    dynamic "source_selection_criteria" {
      for_each = compact([local.replicates[count.index].kms_key_arn])

      content {
        sse_kms_encrypted_objects {
          status = "Enabled"
        }
      }
    }

    destination {
      bucket        = local.replicates[count.index].bucket_arn
      storage_class = local.replicates[count.index].storage_class
      account       = local.replicates[count.index].account_id

      dynamic "access_control_translation" {
        for_each = compact([local.replicates[count.index].account_id])

        content {
          owner = "Destination"
        }
      }

      dynamic "encryption_configuration" {
        for_each = compact([local.replicates[count.index].kms_key_arn])

        content {
          replica_kms_key_id = encryption_configuration.value
        }
      }

      dynamic "replication_time" {
        for_each = local.replicates[count.index].time_control ? [15] : []

        content {
          status = "Enabled"

          time {
            minutes = replication_time.value
          }
        }
      }

      dynamic "metrics" {
        for_each = local.replicates[count.index].time_control ? [15] : []

        content {
          status = "Enabled"

          event_threshold {
            minutes = metrics.value
          }
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition     = var.kms_key_arn == null || local.replicates[count.index].kms_key_arn != null
      error_message = "A bucket with a KMS key is replicated only with a key of the other region: give replication.kms_key_arn."
    }
  }

  # Only a versioned bucket can be replicated, and the role must be able to read it.
  depends_on = [aws_s3_bucket_versioning.store, aws_iam_role_policy.replication]
}
