# Backups that outlive the 35 days of point-in-time recovery, and a copy of each in another region or account.
locals {
  backups = var.backup == null ? [] : [var.backup]
}

resource "aws_backup_vault" "ledger" {
  count = length(local.backups)

  name        = "${local.table_name}-ledger"
  kms_key_arn = local.backups[count.index].kms_key_arn
  tags        = var.tags
}

resource "aws_backup_vault_lock_configuration" "ledger" {
  count = try(var.backup.lock_min_days, null) == null ? 0 : 1

  backup_vault_name  = aws_backup_vault.ledger[0].name
  min_retention_days = var.backup.lock_min_days
}

resource "aws_backup_plan" "ledger" {
  count = length(local.backups)

  name = "${local.table_name}-ledger"
  tags = var.tags

  rule {
    rule_name         = "scheduled"
    target_vault_name = aws_backup_vault.ledger[count.index].name
    schedule          = local.backups[count.index].schedule

    lifecycle {
      delete_after = local.backups[count.index].delete_after_days
    }

    dynamic "copy_action" {
      for_each = compact([local.backups[count.index].copy_to_vault_arn])

      content {
        destination_vault_arn = copy_action.value

        lifecycle {
          delete_after = local.backups[count.index].copy_delete_after_days
        }
      }
    }
  }
}

data "aws_iam_policy_document" "backup_trust" {
  count = length(local.backups)

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["backup.amazonaws.com"]
    }
  }
}

data "aws_partition" "current" {
  count = length(local.backups)
}

resource "aws_iam_role" "backup" {
  count = length(local.backups)

  name               = "${local.table_name}-backup"
  description        = "Backs up and restores the ledger of sacker"
  assume_role_policy = data.aws_iam_policy_document.backup_trust[count.index].json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "backup" {
  for_each = length(local.backups) == 0 ? [] : toset(["ForBackup", "ForRestores"])

  role       = aws_iam_role.backup[0].name
  policy_arn = "arn:${data.aws_partition.current[0].partition}:iam::aws:policy/service-role/AWSBackupServiceRolePolicy${each.key}"
}

resource "aws_backup_selection" "ledger" {
  count = length(local.backups)

  name         = "${local.table_name}-ledger"
  plan_id      = aws_backup_plan.ledger[count.index].id
  iam_role_arn = aws_iam_role.backup[count.index].arn
  resources    = [aws_dynamodb_table.ledger.arn]

  depends_on = [aws_iam_role_policy_attachment.backup]
}
