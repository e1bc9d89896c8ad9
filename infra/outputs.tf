locals {
  table_name = "${var.name_prefix}${var.table_name}"
  # From the table itself: the attribute of the data source `aws_region` has another name in each major version of the
  # provider.
  region = split(":", aws_dynamodb_table.ledger.arn)[3]
  ledger = "dynamodb://${aws_dynamodb_table.ledger.name}?region=${local.region}"
  store  = "s3://${join("/", compact([aws_s3_bucket.store.bucket, var.prefix]))}?region=${local.region}"
}

output "sacker_json" {
  description = "Content for ~/.sacker.json."
  value       = jsonencode({ ledger = local.ledger, store = local.store })
}

output "ledger_url" {
  description = "Value for SACKER_LEDGER or --ledger."
  value       = local.ledger
}

output "store_url" {
  description = "Value for SACKER_STORE or --store."
  value       = local.store
}

output "table_name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.ledger.name
}

output "table_arn" {
  description = "ARN of the table, for IAM policies."
  value       = aws_dynamodb_table.ledger.arn
}

output "stream_arn" {
  description = "ARN of the table's stream, for modules/events. Null without a stream."
  value       = var.stream ? aws_dynamodb_table.ledger.stream_arn : null
}

output "bucket_name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.store.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket, for IAM policies."
  value       = aws_s3_bucket.store.arn
}

output "bucket_regional_domain_name" {
  description = "Host name of the bucket in its region."
  value       = aws_s3_bucket.store.bucket_regional_domain_name
}

output "region" {
  description = "Region of the table."
  value       = local.region
}

output "replication_role_arn" {
  description = "ARN of the role that replicates; the bucket in another account must allow it. Null without replication."
  value       = one(aws_iam_role.replication[*].arn)
}

output "backup_vault_arn" {
  description = "ARN of the vault with the backups. Null without backups."
  value       = one(aws_backup_vault.ledger[*].arn)
}

output "alarm_arns" {
  description = "ARNs of the alarms, by name."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.all : name => alarm.arn }
}
