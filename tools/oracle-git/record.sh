#!/bin/sh
# Signed commits and tags as git, gpg and ssh-keygen make them, with what git says of each: see README.md.
set -eu
out=$(cd "$(dirname "$0")/../.." && pwd)/crates/windlass-signature/tests/git
work=$(mktemp -d)
trap 'gpgconf --kill all 2>/dev/null || true; rm -rf "$work"' EXIT
export GNUPGHOME="$work/gnupg" HOME="$work" GIT_CONFIG_NOSYSTEM=1 TZ=UTC
mkdir -m 700 "$GNUPGHOME"
rm -rf "$out" && mkdir -p "$out"
cd "$work"

key() { # name algorithm usage expiry
  gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-generate-key "$1 <$1@example.org>" "$2" "$3" "$4"
}
id() { gpg --with-colons --list-keys "=$1 <$1@example.org>" | awk -F: '$1 == "fpr" { print $10; exit }'; }
key rsa rsa2048 sign never
key ed25519 ed25519 sign never
key p256 nistp256 sign never
key p384 nistp384 sign never
key unknown ed25519 sign never
key untrusted ed25519 sign never
key parent ed25519 cert never
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-add-key "$(id parent)" ed25519 sign never
key revoked ed25519 sign never
key brief ed25519 sign seconds=2
for kind in ed25519 ecdsa rsa other; do
  case $kind in other) type=ed25519 ;; *) type=$kind ;; esac
  ssh-keygen -q -t $type -N '' -C "ssh-$kind" -f "ssh-$kind"
done
for kind in ed25519 ecdsa rsa; do
  echo "$kind@example.org $(cut -d' ' -f1,2 "ssh-$kind.pub")"
done >"$out/allowed_signers"

git init -q -b main repo && cd repo
git config user.name 'Jane Doe' && git config user.email jane@example.org
git config gpg.ssh.allowedSignersFile "$out/allowed_signers"

commit() { # name [git arguments]
  name=$1 && shift
  git "$@" commit -q --allow-empty -m "a commit of $name" -m "Its message has
 a line that begins with a blank." && git tag "c-$name"
}
gpg_commit() { commit "$1" -c gpg.format=openpgp -c "user.signingKey=$(id "$2")" -c commit.gpgSign=true; }
ssh_commit() { commit "$1" -c gpg.format=ssh -c "user.signingKey=$work/$2.pub" -c commit.gpgSign=true; }
commit unsigned
for name in rsa ed25519 p256 p384 unknown parent revoked brief; do gpg_commit "$name" "$name"; done
for name in ed25519 ecdsa rsa other; do ssh_commit "ssh-$name" "ssh-$name"; done
# A signature over something else: the message of a signed commit is changed.
git cat-file commit c-ed25519 | sed 's/a commit of/a Commit of/' >"$work/changed"
git tag c-changed "$(git hash-object -t commit -w "$work/changed")"
git cat-file commit c-ssh-ed25519 | sed 's/a commit of/a Commit of/' >"$work/changed"
git tag c-ssh-changed "$(git hash-object -t commit -w "$work/changed")"
git -c "user.signingKey=$(id rsa)" tag -s -m 'a signed tag' t-signed c-ed25519
git -c gpg.format=ssh -c "user.signingKey=$work/ssh-ed25519.pub" tag -s -m 'a tag signed by SSH' t-ssh c-ed25519
git tag -a -m 'a tag that is not signed' t-unsigned c-ed25519
# A merge of a signed tag keeps it in its header.
git checkout -q -b side c-unsigned && commit side-work
git -c "user.signingKey=$(id rsa)" tag -s -m 'a tag to merge' t-merged
git checkout -q main
git -c "user.signingKey=$(id p256)" -c commit.gpgSign=true merge -q --no-ff -m 'a merge of a signed tag' t-merged
git tag c-merge

# A history to deploy: unsigned, sealed, signed, and tags of it.
git checkout -q --orphan app && mkdir deploy
step() { # name message [git arguments]
  name=$1 message=$2 && shift 2
  printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {step: %s}\n' "$name" >deploy/settings.yaml
  git add deploy && git "$@" commit -q -m "$message" && git branch "app-$name"
}
rsa="-c user.signingKey=$(id rsa) -c commit.gpgSign=true"
step unsigned 'nobody signed this'
step sealed "reviewed

Argocd-gpg-seal: everything before was looked at" $rsa
step signed 'signed' $rsa
git -c "user.signingKey=$(id rsa)" tag -s -m 'a release' v1.0.0
git tag -a -m 'a release that nobody signed' v1.1.0
step foreign 'signed by another' -c "user.signingKey=$(id ed25519)" -c commit.gpgSign=true
step open 'after the seal, nobody signed this'
step late 'signed again' $rsa
git -c "user.signingKey=$(id rsa)" tag -s -m 'a release of what is not signed' v2.0.0 app-open
git bundle create -q "$out/app.bundle" app-unsigned app-sealed app-signed app-foreign app-open app-late v1.0.0 v1.1.0 v2.0.0

sleep 3
sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$(id revoked).rev" | gpg --batch --quiet --import
unknown=$(id unknown)
gpg --batch --yes --quiet --delete-secret-and-public-key "$unknown"
gpg --quiet --armor --export >"$out/keyring.asc"
gpg --list-keys --with-colons | awk -F: '$1 == "fpr" { print $10 ":6:" }' | gpg --quiet --import-ownertrust 2>/dev/null

for tag in $(git tag -l 'c-*' | sort); do
  git cat-file commit "$tag" >"$out/${tag#c-}.commit"
  git log -1 --format="${tag#c-}.commit %G? %GK" "$tag^{commit}"
done >"$out/expected.txt"
for tag in t-signed t-unsigned t-ssh; do
  git cat-file tag "$tag" >"$out/$tag.tag"
  status=$(git verify-tag --raw "$tag" 2>&1 || true)
  echo "$tag.tag $(echo "$status" | awk '/GOODSIG/ { print "G", $3; f = 1 } /Good "git" signature/ { for (i = 1; i <= NF; i++) if ($i ~ /^SHA256:/) print "G", $i; f = 1 } END { if (!f) print "N" }')"
done >>"$out/expected.txt"
echo "$(id rsa)" >"$out/rsa.id"
git --version && gpg --version | head -1 && ssh -V
