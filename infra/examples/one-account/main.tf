# One account: the smallest root module that uses infra/: terraform init, terraform apply,
# then `terraform output -raw sacker_json > ~/.sacker.json`.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }

  # Keep the state somewhere that outlives this folder, for example:
  # backend "s3" {
  #   bucket = "acme-terraform"
  #   key    = "sacker.tfstate"
  #   region = "eu-west-1"
  # }
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

# The policies of people, pipelines and hosts, and their roles if you want, are those of the module `modules/roles`:
# uncomment it, and name who may assume each role.
#
# module "roles" {
#   source = "../../modules/roles"
#
#   table_arn  = module.sacker.table_arn
#   bucket_arn = module.sacker.bucket_arn
#   packages   = ["app", "web/*"]
#
#   roles = {
#     publisher = { principals = ["arn:aws:iam::111122223333:role/ci"] }
#     reader    = { instance_profile = true }
#   }
# }

output "sacker_json" {
  description = "Content for ~/.sacker.json."
  value       = module.sacker.sacker_json
}
