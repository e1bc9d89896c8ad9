# Puts the new entries of the ledger's logs on an event bus: a pipe reads the stream of the table.

locals {
  # Entries of logs: versions, events of versions, events of tags. They are inserted once; a change of an item, such as a
  # head or a tag, is none.
  keys = [for kind in ["V#", "A#", "E#"] : { prefix = kind }]
  logs = [for kind in ["P#", "T#"] : length(var.package_prefixes) == 0 ? [{ prefix = kind }] : [
    for prefix in var.package_prefixes : { prefix = "${kind}${prefix}" }
  ]]
  filter = {
    eventName = ["INSERT"]
    dynamodb = {
      Keys = {
        pk = { S = flatten(local.logs) }
        sk = { S = local.keys }
      }
    }
  }
  create_bus = var.event_bus_arn == null
  bus_arn    = local.create_bus ? aws_cloudwatch_event_bus.this[0].arn : var.event_bus_arn
}

resource "aws_cloudwatch_event_bus" "this" {
  count = local.create_bus ? 1 : 0

  name = var.name
  tags = var.tags
}

# What can't be delivered for as long as the stream keeps it is not lost: `sacker watch` reads it from the ledger.
resource "aws_pipes_pipe" "this" {
  name          = var.name
  description   = "Entries of the ledger of sacker"
  role_arn      = aws_iam_role.this.arn
  source        = var.stream_arn
  target        = local.bus_arn
  desired_state = "RUNNING"
  tags          = var.tags
  depends_on    = [aws_iam_role_policy.this]

  source_parameters {
    filter_criteria {
      filter {
        pattern = jsonencode(local.filter)
      }
    }

    dynamodb_stream_parameters {
      starting_position                  = "LATEST"
      batch_size                         = 10
      maximum_batching_window_in_seconds = 1
      # A batch that fails is halved, so that one event does not hold back others; the order within a package stays.
      on_partial_batch_item_failure = "AUTOMATIC_BISECT"
      maximum_retry_attempts        = -1
    }
  }

  target_parameters {
    eventbridge_event_bus_parameters {
      detail_type = "sacker entry"
      source      = "sacker"
    }
    # Rules match the fields of `detail`; numbers are texts, as the stream has them.
    input_template = <<-TEMPLATE
      {
        "log": <$.dynamodb.Keys.pk.S>,
        "entry": <$.dynamodb.Keys.sk.S>,
        "item": <$.dynamodb.NewImage>
      }
    TEMPLATE
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["pipes.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Stream"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"]
    resources = [var.stream_arn]
  }

  statement {
    sid       = "Bus"
    actions   = ["events:PutEvents"]
    resources = [local.bus_arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "Key"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-pipe"
  description        = "Reads the stream of the ledger of sacker, and puts its entries on a bus"
  assume_role_policy = data.aws_iam_policy_document.trust.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "stream-to-bus"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
