# The roles of docs/tutorial.md. The table and the bucket are there already: `sacker init` has made them.

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
  description = "AWS region of the table."
  type        = string
  default     = "eu-west-1"
}

variable "bucket_name" {
  description = "Name of the bucket."
  type        = string
}

variable "pipeline" {
  description = "ARN of the principal that the pipeline has."
  type        = string
}

variable "promoters" {
  description = "ARN of the principal that the engineers who promote have."
  type        = string
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "this" {}

module "roles" {
  source = "../../modules/roles"

  table_arn  = "arn:aws:dynamodb:${var.region}:${data.aws_caller_identity.this.account_id}:table/sacker"
  bucket_arn = "arn:aws:s3:::${var.bucket_name}"
  prefix     = "sacker"
  packages   = ["app"]

  roles = {
    publisher = { principals = [var.pipeline] }
    promoter  = { principals = [var.promoters] }
    reader    = { instance_profile = true }
  }
}

output "role_arns" {
  description = "ARNs of the roles, for the configuration of the pipeline and of the engineers."
  value       = module.roles.role_arns
}

output "instance_profile_names" {
  description = "Names of the instance profiles, for the hosts."
  value       = module.roles.instance_profile_names
}
