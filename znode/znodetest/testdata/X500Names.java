import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import javax.security.auth.x500.X500Principal;

/**
 * Prints what X500Principal takes for a name and what not: "+ " or "- " and a string
 * literal a line. ZooKeeper's X509AuthenticationProvider.isValid asks the same. Recorded by:
 * java X500Names.java >x500names.txt
 */
class X500Names {
    static void show(String name) {
        boolean ok = true;
        try {
            new X500Principal(name);
        } catch (IllegalArgumentException e) {
            ok = false;
        }
        StringBuilder s = new StringBuilder("\"");
        for (char c : name.toCharArray()) {
            if (c == '"' || c == '\\') s.append('\\').append(c);
            else if (c < ' ' || c > '~') s.append(String.format("\\u%04x", (int) c));
            else s.append(c);
        }
        System.out.println((ok ? "+ " : "- ") + s.append('"'));
    }

    public static void main(String[] args) {
        String[] seeds = {
            "", " ", "CN", "CN=", "CN= ", "=x", "CN=a", "cn=a", " CN = a ", "CN=a,", ",CN=a", "CN=a,,O=b", "CN=a;O=b", "CN=a,O=b,C=DE", "CN=a, O=b , C=DE", "CN=a+OU=b", "CN=a+", "+CN=a", "CN=a++OU=b",
            "CN=a+OU", "S=x", "ST=x", "T=x", "IP=1", "DNQ=1", "DNQUALIFIER=1", "SURNAME=1", "GIVENNAME=1", "INITIALS=1", "GENERATION=1", "EMAIL=a@b", "EMAILADDRESS=a@b", "UID=1", "SERIALNUMBER=1",
            "SN=1", "GN=1", "E=a@b", "STREET=1", "DC=a,DC=b", "L=1", "TITLE=1", "X=1", "CNN=1", "OID.1.2.3=a", "oid.1.2.3=a", "1.2.3=a", "1.2=a", "1=a", "1..2=a", "1.2.=a", ".1.2=a", "3.1.2=a", "0.40.1=a",
            "0.39.1=a", "1.40.1=a", "2.40.1=a", "2.999.1=a", "1.2.a=b", "01.2.3=a", "1.02.3=a", "1.2.99999999999999999999=a", "OID.CN=a", "CN=#", "CN=#0", "CN=#04", "CN=#0401", "CN=#040141", "CN=#04014", "CN=#0402414", "CN=#040141 ",
            "CN=#zz", "CN=#040141,O=b", "CN=#040141+O=b", "CN=#040141x", "CN=\\#a", "CN=a#b", "CN=a=b", "CN=\"a\"", "CN=\"a", "CN=a\"", "CN=\"a,b\"", "CN=\"a+b\"", "CN=\"a;b\",O=c", "CN=\"a\" ", "CN=\"a\"x", "CN=\"a\\\"b\"",
            "CN=\"a\\,b\"", "CN=\"a\\xb\"", "CN=\"\"", "CN=\"a\",O=\"b\"", "CN=\"a\"b\"", "CN=a\\,b", "CN=a\\+b", "CN=a\\", "CN=a\\\\", "CN=a\\x", "CN=a\\ b", "CN=\\ a", "CN=a\\ ", "CN=a\\41", "CN=a\\4", "CN=a\\4g", "CN=\\c3\\a4", "CN=\\c3",
            "CN=a<b", "CN=a>b", "CN=a\\<b", "CN=<a>", "CN=a\nb", "CN=\na", "CN=a\n", "CN=a\tb", "CN=\u00e4", "CN=\u65e5\u672c", "C\u00c4=a", "CN=a\u0000b", "C N=a", "CN=a,O", "CN=a O=b", "O=a, b", "CN=a\\;b;O=c", "CN=a\\\\,O=c", "CN=a\\\\\\,O=c",
            "no subject", "CN=alice,O=Holt", "1.2.840.113549.1.9.1=#1605614062", "EMAILADDRESS=a@b,CN=x", "C=DEU", "C=D", "CN=" + "x".repeat(300), "DC=\u00e4", "DC=a b", "EMAILADDRESS=\u00e4"
        };
        for (String s : seeds) show(s);
        Random random = new Random(6);
        String[] parts = {"CN", "O", "=", "=", "=", ",", "+", ";", "\"", "\"", "\\", "#", " ", "a", "b", "<", "1.2.3", "04", "41", "\n", "OU=x", "CN=a"};
        for (int i = 0; i < 700; i++) {
            StringBuilder s = new StringBuilder(random.nextInt(3) > 0 ? "CN=" : "");
            for (int n = random.nextInt(7); n >= 0; n--) s.append(parts[random.nextInt(parts.length)]);
            show(s.toString());
        }
    }
}
