# Each option, planned without AWS: `terraform test` needs Terraform 1.7.

mock_provider "aws" {
  override_during = plan

  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/sacker"
    }
  }

  mock_resource "aws_s3_bucket" {
    defaults = {
      arn = "arn:aws:s3:::acme-blobs"
    }
  }

  mock_resource "aws_iam_role" {
    defaults = {
      arn = "arn:aws:iam::111122223333:role/sacker"
    }
  }

  mock_resource "aws_backup_vault" {
    defaults = {
      arn = "arn:aws:backup:eu-west-1:111122223333:backup-vault:sacker"
    }
  }

  mock_data "aws_iam_policy_document" {
    defaults = {
      json = "{}"
    }
  }

  mock_data "aws_partition" {
    defaults = {
      partition = "aws"
    }
  }
}

variables {
  bucket_name = "acme-blobs"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.ledger.name == "sacker" && aws_dynamodb_table.ledger.billing_mode == "PAY_PER_REQUEST"
    error_message = "The table is on demand."
  }

  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled && aws_dynamodb_table.ledger.point_in_time_recovery[0].enabled
    error_message = "The table is protected and can be restored."
  }

  assert {
    condition     = length(aws_dynamodb_table.ledger.on_demand_throughput) == 0 && length(aws_dynamodb_resource_policy.ledger) == 0 && length(aws_dynamodb_contributor_insights.ledger) == 0 && aws_dynamodb_table.ledger.stream_enabled == null && output.stream_arn == null
    error_message = "Options of the table are off."
  }

  assert {
    condition     = length(aws_s3_bucket_logging.store) == 0 && length(aws_s3_bucket_replication_configuration.store) == 0 && length(aws_backup_vault.ledger) == 0 && length(aws_cloudwatch_metric_alarm.all) == 0
    error_message = "Options with a cost are off."
  }

  assert {
    condition     = join(" ", data.aws_iam_policy_document.store.statement[*].sid) == "TlsOnly LatestTlsOnly NoOtherEncryption"
    error_message = "The policy of the bucket refuses old TLS and other encryption."
  }

  assert {
    condition     = output.sacker_json == "{\"ledger\":\"dynamodb://sacker?region=eu-west-1\",\"store\":\"s3://acme-blobs?region=eu-west-1\"}"
    error_message = "The configuration names both, with their region."
  }
}

run "names" {
  command = plan

  variables {
    bucket_name   = null
    bucket_prefix = "acme-"
    name_prefix   = "acme-"
    prefix        = "team/one"
    tags          = { team = "one" }
  }

  assert {
    condition     = aws_dynamodb_table.ledger.name == "acme-sacker" && aws_s3_bucket.store.bucket_prefix == "acme-"
    error_message = "Both names have the prefix."
  }

  assert {
    condition     = endswith(output.store_url, "/team/one?region=eu-west-1")
    error_message = "The store is under its prefix."
  }

  assert {
    condition     = aws_dynamodb_table.ledger.tags == tomap({ team = "one" }) && aws_s3_bucket.store.tags == tomap({ team = "one" })
    error_message = "Both have the tags."
  }
}

run "bucket_name_and_prefix" {
  command = plan

  variables {
    bucket_prefix = "acme-"
  }

  expect_failures = [aws_s3_bucket.store]
}

run "neither_bucket_name_nor_prefix" {
  command = plan

  variables {
    bucket_name = null
  }

  expect_failures = [aws_s3_bucket.store]
}

run "a_key_of_your_own" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
  }

  assert {
    condition     = aws_dynamodb_table.ledger.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The table has the key."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.store.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "The bucket has the key."
  }

  assert {
    condition     = join(" ", data.aws_iam_policy_document.store.statement[*].sid) == "TlsOnly LatestTlsOnly NoOtherEncryption NoOtherKey"
    error_message = "The policy of the bucket refuses another key."
  }
}

run "a_policy_with_less" {
  command = plan

  variables {
    require_latest_tls      = false
    deny_other_encryption   = false
    bucket_policy_documents = ["{\"Version\":\"2012-10-17\",\"Statement\":[]}"]
  }

  assert {
    condition     = join(" ", data.aws_iam_policy_document.store.statement[*].sid) == "TlsOnly"
    error_message = "Only plain HTTP is refused."
  }

  assert {
    condition     = length(data.aws_iam_policy_document.store.source_policy_documents) == 1
    error_message = "The documents of others are merged."
  }
}

run "a_limit_on_demand" {
  command = plan

  variables {
    on_demand_throughput = { max_write_request_units = 500 }
  }

  assert {
    condition     = aws_dynamodb_table.ledger.on_demand_throughput[0].max_write_request_units == 500
    error_message = "The table has the limit."
  }
}

run "a_restored_table" {
  command = plan

  variables {
    table_name             = "sacker-restored"
    restore_source_name    = "sacker"
    restore_to_latest_time = true
  }

  assert {
    condition     = aws_dynamodb_table.ledger.restore_source_name == "sacker" && aws_dynamodb_table.ledger.restore_to_latest_time
    error_message = "The table is restored."
  }

  assert {
    condition     = aws_dynamodb_table.ledger.deletion_protection_enabled && aws_dynamodb_table.ledger.point_in_time_recovery[0].enabled
    error_message = "It is protected, too."
  }
}

run "another_account" {
  command = plan

  variables {
    table_policy = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
  }

  assert {
    condition     = length(aws_dynamodb_resource_policy.ledger) == 1
    error_message = "The table has a policy."
  }
}

run "access_logging" {
  command = plan

  variables {
    access_logging = { bucket = "acme-logs" }
  }

  assert {
    condition     = aws_s3_bucket_logging.store[0].target_bucket == "acme-logs" && aws_s3_bucket_logging.store[0].target_prefix == "sacker/"
    error_message = "Requests are logged."
  }
}

run "contributor_insights" {
  command = plan

  variables {
    contributor_insights = true
  }

  assert {
    condition     = aws_dynamodb_contributor_insights.ledger[0].table_name == "sacker"
    error_message = "The table has them."
  }
}

run "stream" {
  command = plan

  variables {
    stream = true
  }

  assert {
    condition     = aws_dynamodb_table.ledger.stream_enabled && aws_dynamodb_table.ledger.stream_view_type == "NEW_IMAGE"
    error_message = "The table has a stream of new items."
  }
}

run "replication" {
  command = plan

  variables {
    prefix      = "team"
    replication = { bucket_arn = "arn:aws:s3:::acme-copy", account_id = "444455556666" }
  }

  assert {
    condition     = one(aws_s3_bucket_replication_configuration.store[0].rule).filter[0].prefix == "team/"
    error_message = "Only the store is copied."
  }

  assert {
    condition     = one(one(aws_s3_bucket_replication_configuration.store[0].rule).delete_marker_replication).status == "Disabled"
    error_message = "Deletions are not copied."
  }

  assert {
    condition     = one(one(aws_s3_bucket_replication_configuration.store[0].rule).destination).replication_time[0].status == "Enabled" && one(one(aws_s3_bucket_replication_configuration.store[0].rule).destination).access_control_translation[0].owner == "Destination"
    error_message = "The delay is bounded, and the copies belong to the other account."
  }

  assert {
    condition     = aws_iam_role.replication[0].name == "sacker-replication"
    error_message = "The replication has a role."
  }
}

run "replication_needs_the_key_of_the_other_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
    replication = { bucket_arn = "arn:aws:s3:::acme-copy" }
  }

  expect_failures = [aws_s3_bucket_replication_configuration.store]
}

run "backup" {
  command = plan

  variables {
    backup = {
      copy_to_vault_arn = "arn:aws:backup:eu-central-1:111122223333:backup-vault:copy"
      lock_min_days     = 7
    }
  }

  assert {
    condition     = one(one(aws_backup_plan.ledger[0].rule).copy_action).destination_vault_arn == var.backup.copy_to_vault_arn
    error_message = "Each backup is copied to the other region."
  }

  assert {
    condition     = aws_backup_vault_lock_configuration.ledger[0].min_retention_days == 7
    error_message = "The vault is locked."
  }

  assert {
    condition     = aws_backup_selection.ledger[0].resources == toset([aws_dynamodb_table.ledger.arn])
    error_message = "The table is backed up."
  }
}

run "alarms" {
  command = plan

  variables {
    alarm_actions = ["arn:aws:sns:eu-west-1:111122223333:pager"]
    replication   = { bucket_arn = "arn:aws:s3:::acme-copy" }
    backup        = {}
  }

  assert {
    condition     = join(" ", keys(aws_cloudwatch_metric_alarm.all)) == "backup-failed read-throttled replication-failed replication-late write-throttled"
    error_message = "Each part has its alarms."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.all : alarm.alarm_actions == toset(var.alarm_actions)])
    error_message = "Each alarm notifies."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.all["replication-late"].dimensions["DestinationBucket"] == "acme-copy"
    error_message = "The alarm is on the bucket that receives the copies."
  }
}

run "values_out_of_bounds" {
  command = plan

  variables {
    name_prefix                 = "a/b"
    table_name                  = "a"
    prefix                      = "/a"
    kms_key_arn                 = "alias/a"
    point_in_time_recovery_days = 36
    noncurrent_version_days     = 0
    table_policy                = "no JSON"
    bucket_policy_documents     = ["no JSON"]
    replication                 = { bucket_arn = "acme-copy" }
    backup                      = { delete_after_days = 0 }
  }

  expect_failures = [
    var.name_prefix,
    var.table_name,
    var.prefix,
    var.kms_key_arn,
    var.point_in_time_recovery_days,
    var.noncurrent_version_days,
    var.table_policy,
    var.bucket_policy_documents,
    var.replication,
    var.backup,
  ]
}
