# The log of requests. Its bucket must allow logging.s3.amazonaws.com to put objects.
resource "aws_s3_bucket_logging" "store" {
  count = var.access_logging == null ? 0 : 1

  bucket        = aws_s3_bucket.store.id
  target_bucket = var.access_logging.bucket
  target_prefix = var.access_logging.prefix
}
