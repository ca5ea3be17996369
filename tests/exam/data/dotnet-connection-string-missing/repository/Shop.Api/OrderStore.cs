using Npgsql;

public class OrderStore(NpgsqlConnection connection)
{
    public long Count()
    {
        connection.Open();
        using var command = new NpgsqlCommand("select count(*) from orders", connection);
        return (long)command.ExecuteScalar()!;
    }
}
