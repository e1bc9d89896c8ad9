#!/bin/sh
# Publishes a file from a job of a CI system, and publishes it once: a repeat of the job uses the same key.
#
# GitHub's action calls this file; GitLab's component and Jenkins's pipeline have a copy of it. All input is in the
# environment, never in the text of the script:
#
#   SACKER_CI_PACKAGE     the package
#   SACKER_CI_FILE        the file
#   SACKER_CI_TAGS        tags to move in the same transaction, one a line
#   SACKER_CI_LABELS      labels NAME=VALUE, one a line
#   SACKER_CI_MESSAGE     the reason
#   SACKER_CI_IF_CHANGED  true: add nothing if latest has the same bytes
#   SACKER_CI_KEY         the key, instead of the one that is made of the run, the job, the package and the file
#   SACKER_CI_LEDGER, SACKER_CI_STORE
#                         as SACKER_LEDGER and SACKER_STORE, if not empty
#   SACKER_CI_ATTEMPTS    how often exit codes 7 and 9 are tried in total (5)
#   SACKER_CI_DEADLINE    how long one attempt tolerates an outage, such as 2m
#   SACKER_CI_PAUSE       seconds before the second attempt (5); each further pause is twice as long, up to 60
#   SACKER_CI_URL, SACKER_CI_SHA256
#                         the program, or a .tar.gz with it, and its checksum; else the sacker of the PATH is used
#   SACKER_CI_DIR         the folder to keep the program in; else it is removed at the end
#   SACKER_CI_ROLE_ARN, SACKER_CI_ID_TOKEN
#                         an AWS role, and the OIDC token of the job, with which the role is assumed
#   SACKER_CI_ENV_FILE    a file for SACKER_PUBLISHED_VERSION=… and SACKER_PUBLISHED_SHA256=…
#
# It prints the version and nothing else on stdout, and ends with the exit code of sacker. GITHUB_OUTPUT gets `version` and `sha256`.
set -euf

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 2
}

is_set() { # VARIABLE
  eval "[ -n \"\${$1:-}\" ]"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

# Runs a command again while it ends with 7 or 9; ends with its last exit code.
persistently() { # COMMAND...
  attempt=1
  while :; do
    code=0
    "$@" || code=$?
    case $code in
      7 | 9) ;;
      *) return "$code" ;;
    esac
    if [ "$attempt" -ge "$attempts" ]; then return "$code"; fi
    attempt=$((attempt + 1))
    printf 'note: exit code %s; attempt %s of %s follows in %s s\n' "$code" "$attempt" "$attempts" "$pause" >&2
    sleep "$pause"
    pause=$((pause * 2))
    if [ "$pause" -gt 60 ]; then pause=60; fi
  done
}

fetch() {
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --output "$work/fetched" "$SACKER_CI_URL" || return 7
  elif command -v wget >/dev/null; then
    wget -q -O "$work/fetched" "$SACKER_CI_URL" || return 7
  else
    fail 'neither curl nor wget is installed: install one, or put sacker into the image'
  fi
}

# Nothing of what was fetched is run or unpacked before its checksum was compared.
install_program() {
  is_set SACKER_CI_SHA256 || fail 'SACKER_CI_SHA256 is not set: a program from SACKER_CI_URL is only used if its checksum is right'
  persistently fetch || exit $?
  found=$(sha256 <"$work/fetched")
  [ "$found" = "$SACKER_CI_SHA256" ] || fail "the sha256 of $SACKER_CI_URL is $found, not $SACKER_CI_SHA256: nothing was installed"
  case $SACKER_CI_URL in
    *.tar.gz | *.tgz)
      mkdir "$work/unpacked"
      tar -xzf "$work/fetched" -C "$work/unpacked"
      program=$(cd "$work/unpacked" && find . -type f -name sacker ! -path '*/share/*' | head -n 1)
      [ -n "$program" ] || fail "there is no file sacker in $SACKER_CI_URL"
      program=$work/unpacked/$program
      ;;
    *) program=$work/fetched ;;
  esac
  dir=${SACKER_CI_DIR:-$work/bin}
  mkdir -p "$dir"
  chmod 755 "$program"
  mv -f "$program" "$dir/sacker"
  PATH=$dir:$PATH
  if is_set SACKER_CI_DIR && is_set GITHUB_PATH; then printf '%s\n' "$dir" >>"$GITHUB_PATH"; fi
}

# Names this run of the job by facts that are the same in each attempt, and the actor. A number of an attempt is none of them.
identify() {
  if is_set GITHUB_RUN_ID; then
    run=github-$GITHUB_RUN_ID
    facts="${GITHUB_SERVER_URL:-} ${GITHUB_REPOSITORY:-} ${GITHUB_JOB:-}"
    actor="${GITHUB_ACTOR:-github} (${GITHUB_REPOSITORY:-} run $GITHUB_RUN_ID)"
  elif is_set CI_PIPELINE_ID; then
    run=gitlab-$CI_PIPELINE_ID
    facts="${CI_SERVER_URL:-} ${CI_PROJECT_PATH:-} ${CI_JOB_NAME:-}"
    actor="${GITLAB_USER_LOGIN:-gitlab} (${CI_PROJECT_PATH:-} pipeline $CI_PIPELINE_ID)"
  elif is_set BUILD_NUMBER && is_set JOB_NAME; then
    run=jenkins-$BUILD_NUMBER
    facts="${JENKINS_URL:-} $JOB_NAME"
    actor="jenkins ($JOB_NAME build $BUILD_NUMBER)"
  elif is_set SACKER_CI_KEY; then
    run=$SACKER_CI_KEY facts='' actor=''
  else
    fail 'this is no run of GitHub Actions, GitLab CI/CD or Jenkins: set SACKER_CI_KEY to a name for this change'
  fi
  short=$(printf '%s\n%s\n%s\n' "$facts" "$SACKER_CI_PACKAGE" "$SACKER_CI_FILE" | sha256 | cut -c 1-16)
  key=${SACKER_CI_KEY:-$run-$short}
  if is_set actor && ! is_set SACKER_ACTOR; then
    SACKER_ACTOR=$actor
    export SACKER_ACTOR
  fi
}

# The token is in a file of the user's alone, until the end.
take_role() {
  is_set SACKER_CI_ID_TOKEN || fail 'SACKER_CI_ROLE_ARN is set, and SACKER_CI_ID_TOKEN is not'
  (umask 077 && printf '%s' "$SACKER_CI_ID_TOKEN" >"$work/token")
  AWS_ROLE_ARN=$SACKER_CI_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE=$work/token
  AWS_ROLE_SESSION_NAME=${AWS_ROLE_SESSION_NAME:-sacker}
  export AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_SESSION_NAME
}

is_set SACKER_CI_PACKAGE || fail 'SACKER_CI_PACKAGE is not set'
is_set SACKER_CI_FILE || fail 'SACKER_CI_FILE is not set'
attempts=${SACKER_CI_ATTEMPTS:-5} pause=${SACKER_CI_PAUSE:-5}
case $attempts$pause in
  *[!0-9]*) fail 'SACKER_CI_ATTEMPTS and SACKER_CI_PAUSE are whole numbers' ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

identify
if is_set SACKER_CI_URL; then install_program; fi
command -v sacker >/dev/null || fail 'sacker is not installed: set SACKER_CI_URL and SACKER_CI_SHA256'
if is_set SACKER_CI_ROLE_ARN; then take_role; fi
if is_set SACKER_CI_LEDGER; then
  SACKER_LEDGER=$SACKER_CI_LEDGER
  export SACKER_LEDGER
fi
if is_set SACKER_CI_STORE; then
  SACKER_STORE=$SACKER_CI_STORE
  export SACKER_STORE
fi
# Without a configuration, sacker then refuses to publish to the disk of the runner.
CI=${CI:-true}
export CI

set -- --key "$key"
if is_set SACKER_CI_DEADLINE; then set -- "$@" --deadline "$SACKER_CI_DEADLINE"; fi
if is_set SACKER_CI_MESSAGE; then set -- "$@" --message "$SACKER_CI_MESSAGE"; fi
if [ "${SACKER_CI_IF_CHANGED:-false}" = true ]; then set -- "$@" --if-changed; fi
IFS='
'
for tag in ${SACKER_CI_TAGS:-}; do set -- "$@" --tag "$tag"; done
for label in ${SACKER_CI_LABELS:-}; do set -- "$@" --label "$label"; done

version=$(persistently sacker add "$@" -- "$SACKER_CI_PACKAGE" "$SACKER_CI_FILE") || exit $?
set --
if is_set SACKER_CI_DEADLINE; then set -- --deadline "$SACKER_CI_DEADLINE"; fi
info=$(persistently sacker info --json "$@" -- "$SACKER_CI_PACKAGE" "$version") || exit $?
digest=${info#*'"sha256":"'}
digest=${digest%%'"'*}

printf 'published %s %s, sha256 %s, key %s\n' "$SACKER_CI_PACKAGE" "$version" "$digest" "$key" >&2
if is_set GITHUB_OUTPUT; then printf 'version=%s\nsha256=%s\n' "$version" "$digest" >>"$GITHUB_OUTPUT"; fi
if is_set SACKER_CI_ENV_FILE; then
  printf 'SACKER_PUBLISHED_VERSION=%s\nSACKER_PUBLISHED_SHA256=%s\n' "$version" "$digest" >"$SACKER_CI_ENV_FILE"
fi
printf '%s\n' "$version"
