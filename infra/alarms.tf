# Alarms on what sacker can't report itself, since no command runs then.
locals {
  of_table = { TableName = aws_dynamodb_table.ledger.name }
  alarms = merge(concat(
    [{
      read-throttled = {
        description = "Reads of the ledger are throttled: a package is too busy, or on_demand_throughput is too low."
        namespace   = "AWS/DynamoDB", metric = "ReadThrottleEvents", dimensions = local.of_table
        statistic   = "Sum", threshold = 100, periods = 3
      }
      write-throttled = {
        description = "Changes of the ledger are throttled: a package is too busy, or on_demand_throughput is too low."
        namespace   = "AWS/DynamoDB", metric = "WriteThrottleEvents", dimensions = local.of_table
        statistic   = "Sum", threshold = 100, periods = 3
      }
    }],
    [for it in local.replicates : {
      replication-late = {
        description = "Blobs wait for their replication for more than 15 minutes."
        namespace   = "AWS/S3", metric = "ReplicationLatency", statistic = "Maximum", threshold = 900, periods = 3
        dimensions = {
          SourceBucket      = aws_s3_bucket.store.bucket
          DestinationBucket = element(split(":::", it.bucket_arn), 1)
          RuleId            = "blobs"
        }
      }
      replication-failed = {
        description = "Blobs could not be replicated: see the permissions of the role and of the other bucket."
        namespace   = "AWS/S3", metric = "OperationsFailedReplication", statistic = "Sum", threshold = 0, periods = 1
        dimensions = {
          SourceBucket      = aws_s3_bucket.store.bucket
          DestinationBucket = element(split(":::", it.bucket_arn), 1)
          RuleId            = "blobs"
        }
      }
    } if it.time_control],
    [for vault in aws_backup_vault.ledger : {
      backup-failed = {
        description = "A backup of the ledger failed."
        namespace   = "AWS/Backup", metric = "NumberOfBackupJobsFailed", statistic = "Sum", threshold = 0, periods = 1
        dimensions  = { BackupVaultName = vault.name }
      }
    }],
  )...)
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each = { for name, alarm in local.alarms : name => alarm if length(var.alarm_actions) > 0 }

  alarm_name          = "${local.table_name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  period              = 300
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_actions
  ok_actions          = var.alarm_actions
  tags                = var.tags
}
