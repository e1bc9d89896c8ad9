locals {
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

output "bucket_name" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.store.bucket
}

output "bucket_arn" {
  description = "ARN of the bucket, for IAM policies."
  value       = aws_s3_bucket.store.arn
}
