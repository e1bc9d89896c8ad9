# The module on moto: scripts/apply-infra applies it. Not with backups, a limit on demand or a prefix with replication:
# moto lacks AWS's policies for the first, and forgets the others, so that the second plan would not be empty.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "endpoint" {
  description = "Address of moto."
  type        = string
}

variable "name" {
  description = "Name of the table and the bucket of this run."
  type        = string
}

variable "days" {
  description = "Days of point-in-time recovery: the change that is applied."
  type        = number
  default     = 35
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "moto"
  secret_key                  = "moto"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  s3_use_path_style           = true

  endpoints {
    cloudwatch = var.endpoint
    dynamodb   = var.endpoint
    events     = var.endpoint
    iam        = var.endpoint
    pipes      = var.endpoint
    s3         = var.endpoint
    sts        = var.endpoint
  }
}

resource "aws_s3_bucket" "other" {
  for_each = toset(["copy", "logs"])

  bucket = "${var.name}-${each.key}"
}

resource "aws_s3_bucket_versioning" "copy" {
  bucket = aws_s3_bucket.other["copy"].id

  versioning_configuration {
    status = "Enabled"
  }
}

data "aws_iam_policy_document" "logs" {
  statement {
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.other["logs"].arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.other["logs"].id
  policy = data.aws_iam_policy_document.logs.json
}

module "sacker" {
  source = "../.."

  table_name                  = var.name
  bucket_name                 = var.name
  point_in_time_recovery_days = var.days
  access_logging              = { bucket = aws_s3_bucket.other["logs"].bucket }
  replication                 = { bucket_arn = aws_s3_bucket.other["copy"].arn }
  alarm_actions               = ["arn:aws:sns:eu-west-1:123456789012:pager"]
  stream                      = true
  tags                        = { application = "sacker" }

  depends_on = [aws_s3_bucket_versioning.copy, aws_s3_bucket_policy.logs]
}

# moto keeps the pipe, but delivers nothing.
module "events" {
  source = "../../modules/events"

  name       = var.name
  stream_arn = module.sacker.stream_arn
}

output "ledger_url" {
  description = "URL of the ledger on moto."
  value       = "${module.sacker.ledger_url}&endpoint=${var.endpoint}"
}

output "store_url" {
  description = "URL of the store on moto."
  value       = "${module.sacker.store_url}&endpoint=${var.endpoint}"
}
