# The ledger. One table with string keys pk and sk; sacker never reads an index, so there is none.
resource "aws_dynamodb_table" "ledger" {
  name         = var.table_name
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

  # A restored copy is older than the store: `sacker init --adopt-store` makes the store its own (see the README).
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

  tags = var.tags

  # Deletion protection makes AWS refuse; this makes the plan fail, also where a changed name would replace the table.
  lifecycle {
    prevent_destroy = true
  }
}
