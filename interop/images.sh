#!/usr/bin/env bash
# Makes the images of the demo cluster and of the drill with the container engine that answers.
#
#   interop/images.sh [NAME...]    names: base, broker, load, and client programs (default: all)
#
# The Dockerfiles are built on Debian's own images, which are pulled. Where no registry is in reach, images that
# serve as well are made of Debian's packages under the same tags, with mmdebstrap, and kept in the cache
# as archives. They take this machine's own certificates along, so that downloads can be verified
# where somebody checks them on the way: never push such an image. Remove the tag, and it is
# pulled or made again.
#
# Environment: TANIST_CACHE  where the archives are (default ~/.cache/tanist; images/ in it)

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${TANIST_CACHE:-${HOME:?}/.cache/tanist}/images

say() { printf '%s\n' "$*" >&2; }

die() {
  say "images.sh: $*"
  exit 1
}

# ------------------------------------------------------------------------------------------------ bases

# base_of DOCKERFILE: the tags that it is built on.
bases_of() { awk 'toupper($1) == "FROM" && $2 ~ /:/ { print $2 }' "$1" | sort -u; }

# need_base TAG: it is there, or pulled, or made.
need_base() {
  docker image inspect "$1" >/dev/null 2>&1 && return
  if timeout 300 docker pull --quiet "$1" >/dev/null 2>&1; then return; fi
  [[ $1 =~ ^debian:([a-z]+)-slim$ ]] || die "cannot pull $1, and only debian:SUITE-slim can be made here"
  say "$1 cannot be pulled; making it of Debian's packages"
  make_base "${BASH_REMATCH[1]}" || die "cannot make $1; needs mmdebstrap, or root on Debian or Ubuntu to install it"
  docker import --change 'CMD ["bash"]' "$cache/$(archive "${BASH_REMATCH[1]}")" "$1" >/dev/null
}

# The archive of a suite; another one when the machine's certificates change.
archive() {
  local certificates=(/usr/local/share/ca-certificates/*.crt)
  [[ -e ${certificates[0]} ]] || certificates=(/dev/null)
  echo "$1-$(cat "${certificates[@]}" "${BASH_SOURCE[0]}" | sha256sum | cut -c 1-16).tar"
}

make_base() {
  local suite=$1 to
  to=$cache/$(archive "$suite")
  [[ -s $to ]] && return
  command -v mmdebstrap >/dev/null || install_mmdebstrap || return 1
  mkdir -p "$cache"
  rm -f "$cache/$suite"-*.tar
  # shellcheck disable=SC2016  # mmdebstrap's hooks are run by its own shell
  mmdebstrap --quiet --variant=minbase --format=tar --include=ca-certificates \
    --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --essential-hook='mkdir -p "$1/usr/local/share/ca-certificates"' \
    --customize-hook='for c in /usr/local/share/ca-certificates/*.crt; do
      if [ -e "$c" ]; then cp "$c" "$1/usr/local/share/ca-certificates/"; fi
    done; chroot "$1" update-ca-certificates >/dev/null 2>&1' \
    "$suite" "$to.new" ${mirror:=$(debian_mirror)} >&2 || { rm -f "$to.new"; return 1; }
  mv "$to.new" "$to"
}

# The mirror this machine's apt uses for Debian itself; empty (mmdebstrap's default) elsewhere.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' 2>/dev/null | sort -u | head -n 1 || true
}

install_mmdebstrap() {
  [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
  say "installing mmdebstrap"
  mkdir -p "$cache"
  { apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring
  } >"$cache/apt.log" 2>&1 || { tail -n 5 "$cache/apt.log" >&2; return 1; }
}

# ----------------------------------------------------------------------------------------------- images

# dockerfile NAME
dockerfile() {
  case $1 in
    broker) echo broker/Dockerfile ;;
    load) echo clients/python-proton/Dockerfile ;;
    *) echo "clients/$1/Dockerfile" ;;
  esac
}

# tag NAME: as docker-compose.yml and the drill call it.
tag() {
  case $1 in
    broker | load) echo "tanist-$1" ;;
    *) echo "tanist-client-$1" ;;
  esac
}

# build NAME: builds use this machine's network; an engine without masquerading has no other.
build() {
  local name=$1 file base log
  file=$(dockerfile "$name")
  [[ -f $here/$file ]] || die "no $file; names: base, broker, load, and the folders of clients/ with a Dockerfile"
  for base in $(bases_of "$here/$file"); do need_base "$base"; done
  local target=()
  [[ $file != clients/python-proton/* ]] || target=(--target "$([[ $name == load ]] && echo load || echo client)")
  say "building $(tag "$name")"
  mkdir -p "$cache"
  log=$cache/$name.log
  docker build --network host --tag "$(tag "$name")" "${target[@]}" --file "$here/$file" "$here" >"$log" 2>&1 ||
    { tail -n 25 "$log" >&2; die "the build of $name failed; all of its output is in $log"; }
}

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

main() {
  local names=("$@") name file
  if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    usage
    exit 0
  fi
  docker info >/dev/null 2>&1 || die "no container engine answers; interop/engine interop/images.sh brings one"
  if ((! $#)); then
    names=(broker load)
    for file in "$here"/clients/*/Dockerfile; do names+=("$(basename "$(dirname "$file")")"); done
  fi
  for name in "${names[@]}"; do
    if [[ $name == base ]]; then need_base debian:bookworm-slim; else build "$name"; fi
  done
}

main "$@"
