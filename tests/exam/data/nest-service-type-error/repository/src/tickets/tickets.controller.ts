import { Controller, Get, Param } from '@nestjs/common';
import { TicketsService } from './tickets.service';

@Controller('tickets')
export class TicketsController {
  constructor(private readonly tickets: TicketsService) {}

  @Get(':id')
  show(@Param('id') id: string): { id: number; owner: string } {
    return this.tickets.describe(Number(id));
  }
}
