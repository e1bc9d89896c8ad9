# The ledger. One table with string keys pk and sk; sacker never reads an index, so there is none.
resource "aws_dynamodb_table" "ledger" {
  name         = local.table_name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  # New items are all that modules/events needs; an entry of a log never changes but for its state and later labels.
  stream_enabled   = var.stream ? true : null
  stream_view_type = var.stream ? "NEW_IMAGE" : null

  # A restored copy is older than the store: `sacker init --adopt-store` makes the store its own (see docs/restoring.md).
  point_in_time_recovery {
    enabled                 = true
    recovery_period_in_days = var.point_in_time_recovery_days
  }

  # The table is encrypted in any case; this block changes the key from one that AWS owns to one of the account's.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  # A limit on the cost of a client that runs wild; a request above it is throttled.
  dynamic "on_demand_throughput" {
    for_each = var.on_demand_throughput == null ? [] : [var.on_demand_throughput]

    content {
      max_read_request_units  = on_demand_throughput.value.max_read_request_units
      max_write_request_units = on_demand_throughput.value.max_write_request_units
    }
  }

  # Only a new table is restored from another one.
  restore_source_name      = var.restore_source_name
  restore_source_table_arn = var.restore_source_table_arn
  restore_date_time        = var.restore_date_time
  restore_to_latest_time   = var.restore_to_latest_time

  tags = var.tags

  # Deletion protection makes AWS refuse; this makes the plan fail, also where a changed name would replace the table.
  lifecycle {
    prevent_destroy = true
    # Taking these inputs away later must not replace the table.
    ignore_changes = [restore_source_name, restore_source_table_arn, restore_date_time, restore_to_latest_time]
  }
}

resource "aws_dynamodb_resource_policy" "ledger" {
  count = var.table_policy == null ? 0 : 1

  resource_arn = aws_dynamodb_table.ledger.arn
  policy       = var.table_policy
}

# The most used partitions, in CloudWatch: which package is busy. DynamoDB bills for each event that it counts.
resource "aws_dynamodb_contributor_insights" "ledger" {
  count = var.contributor_insights ? 1 : 0

  table_name = aws_dynamodb_table.ledger.name
}
