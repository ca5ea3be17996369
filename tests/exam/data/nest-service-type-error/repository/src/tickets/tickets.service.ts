import { Injectable } from '@nestjs/common';

interface Ticket {
  id: number;
  owner?: { name: string };
}

@Injectable()
export class TicketsService {
  private readonly tickets: Ticket[] = [{ id: 1, owner: { name: 'Ada' } }, { id: 2 }];

  describe(id: number): { id: number; owner: string } {
    const ticket = this.tickets.find((candidate) => candidate.id === 1 + (id % 2));
    return { id, owner: this.ownerOf(ticket!) };
  }

  private ownerOf(ticket: Ticket): string {
    return ticket.owner!.name.trim();
  }
}
