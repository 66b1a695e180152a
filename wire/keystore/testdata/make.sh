#!/bin/sh
# Makes the stores of this directory by keytool and openssl, and has Java write
# the subjects of dn.txt: what the tests hold the package to. Needs a JDK and openssl
# (apt-get install openjdk-17-jdk-headless openssl). Passwords are "secret", or
# "trustsecret" for trust stores.
set -eu
cd "$(dirname "$0")"
rm -f ./*.jks ./*.p12 ./*.pem dn.txt
d=36500
genpair() { # STORE TYPE [JVM option]
	keytool ${3:+"$3"} -genkeypair -alias member -keyalg EC -groupname secp256r1 -validity $d -dname "CN=member,O=Example" \
		-ext san=dns:localhost,ip:127.0.0.1 -keystore "$1" -storetype "$2" -storepass secret -keypass secret 2>/dev/null
}
genpair key.jks JKS
genpair modern.p12 PKCS12
genpair legacy.p12 PKCS12 -J-Dkeystore.pkcs12.legacy
genpair pkcs12-inside.jks PKCS12 # what keytool does of itself since Java 9
keytool -exportcert -rfc -alias member -keystore key.jks -storepass secret >member.pem 2>/dev/null
for s in "trust.jks JKS" "trust.p12 PKCS12"; do
	set -- $s
	keytool -importcert -noprompt -alias member -file member.pem -keystore "$1" -storetype "$2" -storepass trustsecret 2>/dev/null
done
keytool -J-Dkeystore.pkcs12.legacy -importcert -noprompt -alias member -file member.pem -keystore trust-legacy.p12 -storetype PKCS12 -storepass trustsecret 2>/dev/null
# Two keys in one store: the second by RSA.
keytool -genkeypair -alias second -keyalg RSA -keysize 2048 -validity $d -dname "CN=second" -keystore two.p12 -storetype PKCS12 -storepass secret 2>/dev/null
keytool -importkeystore -noprompt -srckeystore modern.p12 -srcstorepass secret -destkeystore two.p12 -deststoretype PKCS12 -deststorepass secret 2>/dev/null
# PEM: PKCS #8 in the clear and encrypted in three ways, PKCS #1, SEC 1.
openssl pkcs12 -in modern.p12 -passin pass:secret -nodes -nocerts 2>/dev/null | openssl pkcs8 -topk8 -nocrypt >plain.key
keytool -exportcert -rfc -alias member -keystore modern.p12 -storepass secret >plain.crt 2>/dev/null
cat plain.key plain.crt >plain.pem
for c in "aes-256-cbc -v2prf hmacWithSHA256" "aes-128-cbc -v2prf hmacWithSHA1" "des3"; do
	set -- $c
	openssl pkcs8 -topk8 -in plain.key -v2 $c -passout pass:secret | cat - plain.crt >"encrypted-$1.pem"
done
openssl ec -in plain.key 2>/dev/null | cat - plain.crt >sec1.pem
openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa.key -out rsa.crt -days $d -subj "/CN=rsa" 2>/dev/null
openssl rsa -in rsa.key -traditional 2>/dev/null | cat rsa.crt - >pkcs1.pem
rm -f plain.key plain.crt rsa.key rsa.crt
java Subjects.java >dn.txt
