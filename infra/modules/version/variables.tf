variable "package" {
  description = "Name of the package."
  type        = string

  validation {
    condition     = var.package != ""
    error_message = "package is the name of a package."
  }
}

variable "spec" {
  description = "The version: a number, a tag, latest, or the past of a tag such as live~1."
  type        = string
  default     = "live"

  validation {
    condition     = var.spec != ""
    error_message = "spec is a number, a tag, latest, or the past of a tag."
  }
}

variable "ledger" {
  description = "URL of the ledger; null for the one that sacker is configured with where Terraform runs."
  type        = string
  default     = null

  validation {
    condition     = (var.ledger == null) == (var.store == null)
    error_message = "Set both ledger and store, or neither."
  }
}

variable "store" {
  description = "URL of the store; required with ledger. It is not opened."
  type        = string
  default     = null
}

variable "program" {
  description = "The program sacker: a name in the PATH, or a path."
  type        = string
  default     = "sacker"
}

variable "python" {
  description = "Python 3: a name in the PATH, or a path."
  type        = string
  default     = "python3"
}
