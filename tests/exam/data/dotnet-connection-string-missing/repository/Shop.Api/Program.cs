using Npgsql;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddScoped(_ => new NpgsqlConnection(builder.Configuration.GetConnectionString("Shop")));
builder.Services.AddScoped<OrderStore>();
var app = builder.Build();
app.MapGet("/orders", (OrderStore store) => store.Count());
app.Run();
