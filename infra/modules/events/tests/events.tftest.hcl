mock_provider "aws" {
  override_during = plan

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/sacker-pipe" }
  }
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:eu-west-1:111122223333:event-bus/sacker" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  stream_arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/sacker/stream/2026-05-01T10:00:00.000"
}

run "only_new_entries_of_logs" {
  command = plan

  assert {
    condition     = jsondecode(one(one(aws_pipes_pipe.this.source_parameters[*].filter_criteria[0].filter[*].pattern))).eventName == ["INSERT"]
    error_message = "Only inserted items are events."
  }
  assert {
    condition     = [for key in jsondecode(one(one(aws_pipes_pipe.this.source_parameters[*].filter_criteria[0].filter[*].pattern))).dynamodb.Keys.sk.S : key.prefix] == ["V#", "A#", "E#"]
    error_message = "Heads, tags and keys are no entries."
  }
  assert {
    condition     = aws_pipes_pipe.this.target == aws_cloudwatch_event_bus.this[0].arn
    error_message = "A bus is created."
  }
}

run "some_packages_on_an_existing_bus" {
  command = plan

  variables {
    event_bus_arn    = "arn:aws:events:eu-west-1:111122223333:event-bus/deploys"
    package_prefixes = ["web/"]
  }

  assert {
    condition     = [for key in jsondecode(one(one(aws_pipes_pipe.this.source_parameters[*].filter_criteria[0].filter[*].pattern))).dynamodb.Keys.pk.S : key.prefix] == ["P#web/", "T#web/"]
    error_message = "Both logs of these packages, and no others."
  }
  assert {
    condition     = length(aws_cloudwatch_event_bus.this) == 0 && aws_pipes_pipe.this.target == var.event_bus_arn
    error_message = "The existing bus is used."
  }
}

run "no_stream_is_refused" {
  command = plan

  variables {
    stream_arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/sacker"
  }

  expect_failures = [var.stream_arn]
}
