! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> From derivatives, weighted, to the factored Jacobian: rows scaled by the loss, fixed parameters without derivatives.
module lm_factor
    use kinds, only: wp, long, row_block
    use differences, only: difference_column
    use pivoted_qr, only: factor_rows
    use row_folding, only: fold_block
    use rows, only: gather_slopes, scale_rows
    use solver_options, only: loss_poisson
    use lm_state, only: lm_fit, lm_layout, is_fixed
    implicit none (type, external)
    private
    public :: factor, factor_block, fold_all, leave_all_fixed, copy

contains

    !> Factor the derivatives in `work`, all of J in one block, and carry the residuals along.
    pure subroutine factor_block(m, n, y, weighted, weights, at, fit, ipvt, work)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: y(*)
        logical, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(in) :: fit
        integer, intent(out) :: ipvt(n)
        real(wp), intent(inout) :: work(*)

        integer(long) :: j

        call copy(m, work(at%f), work(at%rows + at%height*n))
        call scale_rows(m, n, int(at%height), fit%loss, fit%f_scale, y, weighted, weights, work(at%rows))
        ! Where there are fewer points than parameters, because some are fixed.
        do j = 0, n
            work(at%rows + j*at%height + m:at%rows + (j + 1)*at%height - 1) = 0.0_wp
        end do
        call factor(int(at%height), n, work(at%rows), at, fit, ipvt, work)
    end subroutine factor_block

    !> Fold a tall Jacobian, stored by whoever, into a triangle, and factor that.
    pure subroutine fold_all(m, n, slopes, row_stride, column_stride, y, weighted, weights, stored, differenced, &
                             shifted, at, fit, ipvt, work)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: slopes(*)               !! derivatives
        integer(long), intent(in) :: row_stride, column_stride
        real(wp), intent(in) :: y(*)
        logical, intent(in) :: weighted
        real(wp), intent(in) :: weights(*)
        integer, intent(in) :: stored                   !! columns in slopes: n, or n - 1
        logical, intent(in) :: differenced              !! whether the last one is differenced here, to save its memory
        real(wp), intent(in) :: shifted(*)              !! what to difference it from (m)
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(in) :: fit
        integer, intent(out) :: ipvt(n)
        real(wp), intent(inout) :: work(*)

        integer(long) :: last
        integer :: first, count, counted, own

        work(at%s:at%s + int(n, long)*(n + 1) - 1) = 0.0_wp
        last = at%rows + int(row_block, long)*(n - 1)
        do first = 1, m, row_block
            count = min(row_block, m - first + 1)
            ! Who hands in residuals has neither counts nor weights.
            counted = merge(first, 1, fit%loss == loss_poisson)
            own = merge(first, 1, weighted)
            call gather_slopes(count, stored, row_block, slopes(1 + (first - 1)*row_stride), row_stride, &
                               column_stride, weighted, weights(own), work(at%rows))
            if (differenced) call difference_column(count, shifted(first), work(at%f + first - 1), fit%h, work(last))
            call copy(count, work(at%f + first - 1), work(last + row_block))
            call scale_rows(count, n, row_block, fit%loss, fit%f_scale, y(counted), weighted, weights(own), &
                            work(at%rows))
            call clear_fixed(row_block, n, work(at%rows), at, fit, work)
            call fold_block(count, n, work(at%rows), work(at%s))
        end do
        call factor(n, n, work(at%s), at, fit, ipvt, work)
    end subroutine fold_all

    !> Factor rows, fixed parameters without derivatives.
    pure subroutine factor(count, n, block, at, fit, ipvt, work)
        integer, intent(in) :: count
        integer, intent(in) :: n
        real(wp), intent(inout) :: block(count, n + 1)
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(in) :: fit
        integer, intent(out) :: ipvt(n)
        real(wp), intent(inout) :: work(*)

        call clear_fixed(count, n, block, at, fit, work)
        call factor_rows(count, n, block, work(at%r), work(at%qtf), ipvt, work(at%acnorm), work(at%wa1), work(at%wa2))
    end subroutine factor

    !> Let rows have no derivatives by fixed parameters.
    pure subroutine clear_fixed(count, n, block, at, fit, work)
        integer, intent(in) :: count
        integer, intent(in) :: n
        real(wp), intent(inout) :: block(count, n + 1)
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(in) :: fit
        real(wp), intent(in) :: work(*)

        integer :: j

        if (.not. fit%bounded) return
        do j = 1, n
            if (is_fixed(j, fit, at, work)) block(:, j) = 0.0_wp
        end do
    end subroutine clear_fixed

    !> What a fit leaves in which every parameter is fixed.
    pure subroutine leave_all_fixed(n, ipvt, r, qtf, acnorm)
        integer, intent(in) :: n
        integer, intent(out) :: ipvt(n)
        real(wp), intent(out) :: r(n, n), qtf(n), acnorm(n)

        integer :: j

        do j = 1, n
            ipvt(j) = j
        end do
        r = 0.0_wp
        qtf = 0.0_wp
        acnorm = 0.0_wp
    end subroutine leave_all_fixed

    pure subroutine copy(n, source, destination)
        integer, intent(in) :: n
        real(wp), intent(in) :: source(n)
        real(wp), intent(out) :: destination(n)

        destination = source
    end subroutine copy

end module lm_factor
