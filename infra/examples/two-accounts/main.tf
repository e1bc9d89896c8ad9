# The table and the bucket in a production account, and publishing from a CI account. A role of the production account
# does the work; roles of the CI account may assume it. No resource policy is needed, and the production account alone
# decides what CI may do.
#
# In the CI account, a profile assumes the role:
#   [profile sacker]
#   role_arn       = <publisher_role_arn>
#   source_profile = default

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

variable "region" {
  description = "AWS region of the table and the bucket."
  type        = string
  default     = "eu-west-1"
}

variable "bucket_name" {
  description = "Name of the bucket; unique across all of AWS."
  type        = string
}

variable "ci_role_arns" {
  description = "ARNs of the roles of the CI account that may publish."
  type        = list(string)
}

variable "packages" {
  description = "Packages that CI may publish: names and patterns."
  type        = list(string)
}

# Credentials of the production account.
provider "aws" {
  region = var.region

  default_tags {
    tags = {
      application = "sacker"
    }
  }
}

module "sacker" {
  source = "../.."

  bucket_name = var.bucket_name
}

# The module `roles` creates roles, too. Here the role is written out, because CI may tag its sessions.
module "policies" {
  source = "../../modules/roles/documents"

  table_arn  = module.sacker.table_arn
  bucket_arn = module.sacker.bucket_arn
  packages   = var.packages
}

data "aws_iam_policy_document" "trust" {
  statement {
    # A session's tags come from the CI account: they are recorded, and grant nothing here.
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = var.ci_role_arns
    }
  }
}

resource "aws_iam_role" "publisher" {
  name                 = "sacker-publisher"
  description          = "Publishes with sacker, from the CI account"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "publisher" {
  name   = "publisher"
  role   = aws_iam_role.publisher.id
  policy = module.policies.documents["publisher"]
}

output "publisher_role_arn" {
  description = "ARN of the role that CI assumes."
  value       = aws_iam_role.publisher.arn
}

output "sacker_json" {
  description = "Content for ~/.sacker.json, in both accounts."
  value       = module.sacker.sacker_json
}
