/* Stations of the C library's suite that its command line cannot express: see doc.go of the
 * package beside testdata.
 *
 * usage: c_suite host:port,host:port,host:port
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#define SESSION_MILLIS 6000
#define PATIENCE_SECONDS 30

static volatile int connected;
static volatile int changed;

static void watch(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	if (type == ZOO_SESSION_EVENT)
		connected = state == ZOO_CONNECTED_STATE;
	if (type == ZOO_CHANGED_EVENT)
		changed++;
}

static void equal(long got, long want, const char *what)
{
	if (got == want)
		return;
	fprintf(stderr, "%s: got %ld, want %ld\n", what, got, want);
	exit(1);
}

static void until(volatile int *flag, const char *what)
{
	int i;
	for (i = 0; i < PATIENCE_SECONDS * 100; i++) {
		if (*flag)
			return;
		usleep(10 * 1000);
	}
	fprintf(stderr, "not in time: %s\n", what);
	exit(1);
}

static void ok(const char *station)
{
	printf("ok %s\n", station);
	fflush(stdout);
}

static void station_multi(zhandle_t *zh)
{
	char path[64], created[64], buffer[16];
	int length = sizeof buffer, i;
	struct Stat stat;
	zoo_op_t ops[4], bad[3];
	zoo_op_result_t results[4], failed[3];
	const int want[3] = {ZOK, ZBADVERSION, ZRUNTIMEINCONSISTENCY};

	zoo_create_op_init(&ops[0], "/c-multi", "a", 1, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path);
	zoo_set_op_init(&ops[1], "/c-multi", "bc", 2, 0, &stat);
	zoo_check_op_init(&ops[2], "/c-multi", 1);
	zoo_create_op_init(&ops[3], "/c-multi/n-", NULL, -1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL | ZOO_SEQUENCE, created, sizeof created);
	equal(zoo_multi(zh, 4, ops, results), ZOK, "multi");
	equal(strcmp(path, "/c-multi"), 0, "created path");
	equal(strcmp(created, "/c-multi/n-0000000000"), 0, "created sequential path");
	equal(stat.version, 1, "version after multi");
	equal(stat.czxid == stat.mzxid, 1, "one zxid");

	zoo_set_op_init(&bad[0], "/c-multi", "never", 5, -1, &stat);
	zoo_check_op_init(&bad[1], "/c-multi", 99);
	zoo_delete_op_init(&bad[2], "/c-multi/n-0000000000", -1);
	equal(zoo_multi(zh, 3, bad, failed), ZBADVERSION, "failed multi");
	for (i = 0; i < 3; i++)
		equal(failed[i].err, want[i], "result of a failed multi");
	equal(zoo_get(zh, "/c-multi", 0, buffer, &length, &stat), ZOK, "get");
	equal(length, 2, "length after a failed multi");
	equal(zoo_exists(zh, created, 0, &stat), ZOK, "exists after a failed multi");
	ok("multi");
}

static volatile int authenticated;

static void on_auth(int rc, const void *data)
{
	authenticated = rc == ZOK ? 1 : -1;
}

/* The only login that the library of Debian knows: it is built without TLS and SASL. */
static void station_digest(zhandle_t *zh)
{
	struct ACL_vector acl;
	struct Stat stat;
	equal(zoo_add_auth(zh, "digest", "c:secret", 8, on_auth, NULL), ZOK, "add_auth");
	until(&authenticated, "the answer to auth");
	equal(authenticated, 1, "auth");
	equal(zoo_create(zh, "/c-digest", "x", 1, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZOK, "create for the creator");
	equal(zoo_get_acl(zh, "/c-digest", &acl, &stat), ZOK, "get_acl of the creator's");
	equal(acl.count, 1, "entries of the creator's");
	equal(strcmp(acl.data[0].id.scheme, "digest"), 0, "scheme of the creator's");
	equal(strncmp(acl.data[0].id.id, "c:", 2), 0, "user of the creator's");
	deallocate_ACL_vector(&acl);
	equal(zoo_set(zh, "/c-digest", "y", 1, 0), ZOK, "set by the creator");
	ok("digest");
}

static void station_acl(zhandle_t *zh)
{
	struct ACL_vector acl;
	struct Stat stat;
	equal(zoo_create(zh, "/c-acl", "x", 1, &ZOO_READ_ACL_UNSAFE, 0, NULL, 0), ZOK, "create");
	equal(zoo_set(zh, "/c-acl", "y", 1, -1), ZNOAUTH, "set without permission");
	equal(zoo_get_acl(zh, "/c-acl", &acl, &stat), ZOK, "get_acl");
	equal(acl.count, 1, "entries");
	equal(acl.data[0].perms, ZOO_PERM_READ, "perms");
	deallocate_ACL_vector(&acl);
	ok("acl");
}

/* The library re-arms its watches by setWatches when it reconnects. */
static void station_failover(zhandle_t *zh)
{
	char line[16], created[64];
	struct sockaddr_in peer;
	socklen_t peer_length = sizeof peer;
	struct Stat stat;
	int64_t session = zoo_client_id(zh)->client_id;

	equal(zoo_create(zh, "/c-rearm", "v", 1, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, created, sizeof created), ZOK, "create");
	equal(zoo_exists(zh, "/c-rearm", 1, &stat), ZOK, "exists");
	equal(zookeeper_get_connected_host(zh, (struct sockaddr *)&peer, &peer_length) != NULL, 1, "peer");
	connected = 0;
	printf("kill %d\n", ntohs(peer.sin_port));
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) == NULL)
		exit(1);
	until(&connected, "reconnected");
	equal(zoo_client_id(zh)->client_id == session, 1, "session kept");
	equal(changed, 0, "events before the change");
	equal(zoo_set(zh, "/c-rearm", "w", 1, 0), ZOK, "set");
	until(&changed, "event of a watch set before the failover");
	equal(zoo_exists(zh, "/c-rearm", 0, &stat), ZOK, "exists");
	equal(stat.ephemeralOwner == session, 1, "owner");
	ok("failover");
}

int main(int argc, char **argv)
{
	zhandle_t *zh;
	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	zh = zookeeper_init(argv[1], watch, SESSION_MILLIS, NULL, NULL, 0);
	equal(zh != NULL, 1, "init");
	until(&connected, "connected");
	station_multi(zh);
	station_acl(zh);
	station_digest(zh);
	station_failover(zh);
	equal(zookeeper_close(zh), ZOK, "close");
	printf("passed\n");
	return 0;
}
