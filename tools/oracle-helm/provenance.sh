#!/bin/sh
# Makes a signed chart for crates/windlass-helm/tests/provenance: keys of many kinds by GnuPG, provenance files by Helm
# and by GnuPG, and what `helm verify` says of each. Every run makes other keys.
#
#   sh provenance.sh ../../target/tools/bin/helm ../../crates/windlass-helm/tests/provenance
set -eu
helm=$(realpath "$1")
out=$2
mkdir -p "$out"
out=$(realpath "$out")
work=$(mktemp -d)
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
export GNUPGHOME="$work/gnupg"
mkdir -m 700 "$GNUPGHOME"
cd "$work"
quietly() { gpg --batch --quiet --pinentry-mode loopback --passphrase '' "$@" 2>/dev/null; }
long_ago="--faked-system-time 20260101T000000"

key() { quietly $long_ago --quick-gen-key "$1 <$1@example.com>" "$2" "$3" "$4"; }
fingerprint() { gpg --list-keys --with-colons "$1@example.com" 2>/dev/null | awk -F: '/^fpr/ {print $10; exit}'; }
key rsa rsa2048 sign 0
key small rsa1024 sign 0
key ed ed25519 sign 0
key nist nistp256 sign 0
key large nistp384 sign 0
key short rsa2048 sign 30d
key gone rsa2048 sign 0
key dsa dsa2048 sign 0
key sub ed25519 cert 0
quietly $long_ago --quick-add-key "$(fingerprint sub)" rsa2048 sign 0
key encrypt rsa2048 cert 0
key stranger rsa2048 sign 0

mkdir -p web/templates
printf 'apiVersion: v2\nname: web\nversion: 1.0.0\ndescription: "- dashes"\n' > web/Chart.yaml
echo 'kind: A' > web/templates/a.yaml
quietly --export-secret-keys > secret.gpg
"$helm" package --sign --key rsa@example.com --keyring secret.gpg web -d . > /dev/null
cp web-1.0.0.tgz "$out"
cp web-1.0.0.tgz.prov "$out/helm.prov"
# The text that Helm signs, for keys that it does not sign with.
awk '/^-----BEGIN PGP SIGNATURE/ {exit} body {print} /^$/ {body = 1}' web-1.0.0.tgz.prov > message
for name in rsa small ed nist large dsa sub stranger; do
	quietly --local-user "$name@example.com" --digest-algo SHA512 --clearsign -o "$out/$name.prov" message
done
quietly --faked-system-time 20260110T000000 --local-user short@example.com --digest-algo SHA256 --clearsign \
	-o "$out/short.prov" message
quietly --local-user gone@example.com --digest-algo SHA256 --clearsign -o "$out/gone.prov" message
sed 's/^:-----/-----/' "$GNUPGHOME/openpgp-revocs.d/$(fingerprint gone).rev" | quietly --import
quietly --local-user rsa@example.com --digest-algo SHA384 --clearsign -o "$out/sha384.prov" message
quietly --local-user rsa@example.com --digest-algo SHA1 --clearsign -o "$out/sha1.prov" message
quietly --local-user rsa@example.com --default-sig-expire 1d --faked-system-time 20260110T000000 --clearsign \
	-o "$out/past.prov" message
sed 's/name: web/name: wab/' "$out/rsa.prov" > "$out/changed.prov"
sed 's/sha256:..../sha256:0000/' message > other
quietly --local-user rsa@example.com --clearsign -o "$out/digest.prov" other
sed 's/web-1.0.0.tgz/web-2.0.0.tgz/' message > other
quietly --local-user rsa@example.com --clearsign -o "$out/name.prov" other
grep -v '^[.][.][.]$' message > other
quietly --local-user rsa@example.com --clearsign -o "$out/parts.prov" other
cat message > "$out/unsigned.prov"
names='rsa small ed nist large short gone dsa sub encrypt'
for name in $names; do echo "$name@example.com"; done | xargs gpg --batch --quiet --export > "$out/keyring.gpg"
for name in $names; do echo "$name@example.com"; done | xargs gpg --batch --quiet --export --armor > "$out/keyring.asc"

: > "$out/expected.txt"
for file in "$out"/*.prov; do
	name=$(basename "$file" .prov)
	cp "$file" web-1.0.0.tgz.prov
	if said=$("$helm" verify --keyring "$out/keyring.gpg" web-1.0.0.tgz 2>&1); then
		echo "$name: ok $(echo "$said" | tr '\n' ' ')" >> "$out/expected.txt"
	else
		echo "$name: $(echo "$said" | tr '\n' ' ')" >> "$out/expected.txt"
	fi
done
