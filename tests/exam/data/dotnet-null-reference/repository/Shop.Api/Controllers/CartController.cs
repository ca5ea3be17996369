using Microsoft.AspNetCore.Mvc;
using Shop.Api.Services;

namespace Shop.Api.Controllers;

[ApiController]
[Route("cart")]
public class CartController(CartService carts) : ControllerBase
{
    [HttpGet("{id}")]
    public int Total(string id) => carts.Total(id);
}
