variable "table_name" {
  description = "Name of the DynamoDB table that holds the ledger."
  type        = string
  default     = "sacker"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table_name))
    error_message = "A DynamoDB table name has 3 to 255 letters, digits, '_', '.' or '-'."
  }
}

variable "bucket_name" {
  description = "Name of the S3 bucket that holds the blobs. Bucket names are unique across all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket_name))
    error_message = "An S3 bucket name has 3 to 63 lower-case letters, digits, '.' or '-', and begins and ends with a letter or digit."
  }
}

variable "prefix" {
  description = "Key prefix of the blobs in the bucket, with no slash at either end; empty for the bucket's root."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || can(regex("^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", var.prefix))
    error_message = "A prefix has letters, digits, '.', '_' or '-', in segments with single slashes between them, and no slash at either end."
  }
}

variable "kms_key_arn" {
  description = "ARN of a KMS key of your own for the table and the bucket; null for the keys that AWS manages at no cost. Who uses sacker then also needs kms:Decrypt and kms:GenerateDataKey on it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "This must be the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias or an id."
  }
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the table. Turn it off, and apply that, before a wanted destroy."
  type        = bool
  default     = true
}

variable "point_in_time_recovery_days" {
  description = "How many days back the table can be restored to any second."
  type        = number
  default     = 35

  validation {
    condition     = var.point_in_time_recovery_days == floor(var.point_in_time_recovery_days) && var.point_in_time_recovery_days >= 1 && var.point_in_time_recovery_days <= 35
    error_message = "DynamoDB keeps 1 to 35 days."
  }
}

variable "noncurrent_version_days" {
  description = "Days after which an overwritten or deleted object is gone for good: the time there is to undo a mistaken `sacker gc --delete`."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_version_days == floor(var.noncurrent_version_days) && var.noncurrent_version_days >= 1
    error_message = "This must be a whole number of days, at least 1."
  }
}

variable "tags" {
  description = "Tags for the table and the bucket."
  type        = map(string)
  default     = {}
}
