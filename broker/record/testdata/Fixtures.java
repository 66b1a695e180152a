// Prints batches that kafka-clients builds, for batch_test.go. Usage:
//
//     java -cp 'lib/*' Fixtures.java > fixtures.txt
//
// A line is "name|batch in hex|record|record…", a record "offset timestamp key value
// header=value…" with fields in hex, "null" and "''" told apart.
import java.util.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;

public class Fixtures {
    static final long T = 1_700_000_000_000L;

    public static void main(String[] args) {
        for (CompressionType c : CompressionType.values()) {
            Compression z = Compression.of(c).build();
            print("plain-" + c.name, MemoryRecords.withRecords(z, sample(4)));
            print("long-" + c.name, MemoryRecords.withRecords(z, repetitive()));
            print("idempotent-" + c.name, MemoryRecords.withIdempotentRecords(z, 4000L, (short) 3, 77, sample(2)));
            print("transactional-" + c.name, MemoryRecords.withTransactionalRecords(z, Long.MAX_VALUE - 1, Short.MAX_VALUE, Integer.MAX_VALUE, sample(2)));
        }
        print("append-time", MemoryRecords.withRecords((byte) 2, 123456789012L, Compression.NONE, TimestampType.LOG_APPEND_TIME, sample(3)));
        print("no-timestamp", MemoryRecords.withRecords(Compression.NONE, new SimpleRecord(-1, "k".getBytes(), "v".getBytes())));
        print("commit", marker(ControlRecordType.COMMIT));
        print("abort", marker(ControlRecordType.ABORT));
    }

    static MemoryRecords marker(ControlRecordType t) {
        return MemoryRecords.withEndTransactionMarker(0L, T, 0, 4000L, (short) 3, new EndTransactionMarker(t, 12));
    }

    static SimpleRecord[] sample(int n) {
        SimpleRecord[] all = {
            new SimpleRecord(T, "key".getBytes(), "value".getBytes(),
                new Header[] {new RecordHeader("trace", new byte[] {1, 2}), new RecordHeader("", (byte[]) null), new RecordHeader("trace", new byte[0])}),
            new SimpleRecord(T - 12345, null, "no key".getBytes()),
            new SimpleRecord(T + 7_000_000, "tombstone".getBytes(), null),
            new SimpleRecord(T, new byte[0], new byte[0]),
        };
        return Arrays.copyOf(all, n);
    }

    // repetitive is what each codec makes several blocks of: 70 kB in zeros and one text.
    static SimpleRecord[] repetitive() {
        byte[] zeros = new byte[70_000];
        return new SimpleRecord[] {new SimpleRecord(T, null, zeros), new SimpleRecord(T, "end".getBytes(), "end".getBytes())};
    }

    static void print(String name, MemoryRecords m) {
        if (name.equals("long-none")) return; // nothing but zeros
        byte[] b = new byte[m.buffer().remaining()];
        m.buffer().duplicate().get(b);
        StringBuilder s = new StringBuilder(name + "|" + HexFormat.of().formatHex(b));
        for (org.apache.kafka.common.record.Record r : m.records()) {
            s.append("|" + r.offset() + " " + r.timestamp() + " " + hex(r.hasKey() ? bytes(r.key()) : null) + " " + hex(r.hasValue() ? bytes(r.value()) : null));
            for (Header h : r.headers()) s.append(" " + hex(h.key().getBytes()) + "=" + hex(h.value()));
        }
        System.out.println(s);
    }

    static byte[] bytes(java.nio.ByteBuffer b) {
        byte[] a = new byte[b.remaining()];
        b.duplicate().get(a);
        return a;
    }

    static String hex(byte[] b) {
        if (b == null) return "null";
        if (b.length == 0) return "''";
        return b.length > 1000 ? "zeros" + b.length : HexFormat.of().formatHex(b);
    }
}
