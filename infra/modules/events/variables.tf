variable "stream_arn" {
  description = "ARN of the table's stream: the output stream_arn of the module infra, with stream = true."
  type        = string

  validation {
    condition     = can(regex("^arn:[^:]+:dynamodb:[^:]+:[0-9]+:table/.+/stream/.+$", var.stream_arn))
    error_message = "stream_arn must be the ARN of a stream of a DynamoDB table."
  }
}

variable "name" {
  description = "Name of the pipe, of its role and of the bus."
  type        = string
  default     = "sacker"
}

variable "event_bus_arn" {
  description = "ARN of an existing event bus; null creates one."
  type        = string
  default     = null
}

variable "package_prefixes" {
  description = "Only packages whose names begin with one of these; all if there is none."
  type        = list(string)
  default     = []
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts the table, if it is one of the account's."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags for all resources."
  type        = map(string)
  default     = {}
}
