! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The covariance against its definition, (JᵀJ) cov = I.
program test_covariance
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan
    use kinds, only: wp, eps
    use reductions, only: reduction, factor
    use covariance, only: covar
    use testing, only: check, check_at_most, finish, digits_of
    use matrices, only: random_matrix, random_vector, graded_matrix, upper_triangle, column_norms, greatest
    implicit none (type, external)

    integer :: k

    do k = 1, 3
        call check_inverse(random_matrix(20, 5), "random")
    end do
    call check_inverse(random_matrix(1, 1), "one entry")
    call check_inverse(random_matrix(9, 1), "one parameter")
    call check_inverse(graded_matrix(20, 5, 1.0e-5_wp), "graded")
    call check_inverse(1.0e100_wp*random_matrix(20, 5), "scale 1e100")
    call check_inverse(1.0e-100_wp*random_matrix(20, 5), "scale 1e-100")
    call check_known()
    call check_fixed()
    call check_singular()
    call finish()

contains

    !> With the columns of J brought to length 1, the error is that of inverting JᵀJ by way of R: eps times the
    !> condition of R squared, measured by the traces.
    subroutine check_inverse(jac, what)
        real(wp), intent(in) :: jac(:, :)
        character(*), intent(in) :: what

        real(wp), dimension(size(jac, 2), size(jac, 2)) :: cov, work, unit
        real(wp) :: scaled(size(jac, 1), size(jac, 2)), condition
        type(reduction) :: reduced
        integer :: i, j, m, n
        logical :: singular

        m = size(jac, 1)
        n = size(jac, 2)
        reduced = factor(jac, random_vector(m))
        call covar(n, n, reduced%r, reduced%ipvt, cov, singular, work)
        call check(.not. singular, what//": not singular")
        call check(all(cov == transpose(cov)), what//": symmetric to the bit")

        scaled = jac
        do j = 1, n
            scaled(:, j) = scaled(:, j)/reduced%acnorm(j)
            do i = 1, n
                cov(i, j) = cov(i, j)*reduced%acnorm(i)*reduced%acnorm(j)
            end do
        end do
        unit = matmul(matmul(transpose(scaled), scaled), cov)
        condition = n
        do j = 1, n
            unit(j, j) = unit(j, j) - 1.0_wp
            condition = condition + cov(j, j)
        end do
        call check_at_most(greatest(unit), m*n*eps*condition, what//": error of (Jᵀ J) cov = I")
    end subroutine check_inverse

    !> R = [2 1; 0 4] with the columns exchanged: JᵀJ = [17 2; 2 4], whose inverse is [4 -2; -2 17]/64.
    subroutine check_known()
        real(wp) :: cov(2, 2), work(2, 2)
        logical :: singular

        call covar(2, 2, reshape([2.0_wp, 0.0_wp, 1.0_wp, 4.0_wp], [2, 2]), [2, 1], cov, singular, work)
        call check(all(cov*64.0_wp == reshape([4.0_wp, -2.0_wp, -2.0_wp, 17.0_wp], [2, 2])), "known 2 x 2: exact")
    end subroutine check_known

    !> The same beside a fixed parameter, whose column pivoting leaves last, and which has no variance.
    subroutine check_fixed()
        real(wp) :: r(3, 3), cov(3, 3), work(3, 3)
        logical :: singular

        r = 0.0_wp
        r(:2, :2) = reshape([2.0_wp, 0.0_wp, 1.0_wp, 4.0_wp], [2, 2])
        call covar(3, 2, r, [3, 1, 2], cov, singular, work)
        call check(.not. singular, "fixed: not singular")
        call check(all(cov([1, 3], [1, 3])*64.0_wp == reshape([4.0_wp, -2.0_wp, -2.0_wp, 17.0_wp], [2, 2])), &
                   "fixed: the others exact")
        call check(all(cov(2, :) == 0.0_wp) .and. all(cov(:, 2) == 0.0_wp), "fixed: no variance")
    end subroutine check_fixed

    !> A zero or NaN anywhere on the diagonal of R means no inverse.
    subroutine check_singular()
        real(wp) :: r(4, 4), cov(4, 4), work(4, 4)
        logical :: singular
        integer :: j, kind_of_zero

        do j = 1, 4
            do kind_of_zero = 1, 3
                r = upper_triangle(random_matrix(4, 4))
                if (kind_of_zero == 1) r(j, j) = 0.0_wp
                if (kind_of_zero == 2) r(j, j) = -0.0_wp
                if (kind_of_zero == 3) r(j, j) = ieee_value(1.0_wp, ieee_quiet_nan)
                cov = 1.0_wp
                call covar(4, 4, r, [2, 4, 1, 3], cov, singular, work)
                call check(singular, "singular: flagged, entry "//digits_of(j))
                call check(all(cov == 0.0_wp), "singular: covariance is zero, entry "//digits_of(j))
            end do
        end do
    end subroutine check_singular

end program test_covariance
